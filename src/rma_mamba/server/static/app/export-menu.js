// Export of the shown version as a file.

import { api } from "./api.js";
import { button, element, toast } from "./dom.js";

const TYPES = [
  ["nifti", "NIfTI mask", "for research tools"],
  ["dicom-seg", "DICOM SEG", "for a PACS and for viewers with overlays"],
  ["rtstruct", "DICOM RTSTRUCT", "for radiotherapy planning"],
  ["dicom-sr", "DICOM SR", "measurements for a PACS"],
  ["report-pdf", "Report, PDF", "to print or to send"],
  ["report-html", "Report, HTML", "one page with pictures"],
  ["mesh", "Surface, STL", "for 3-D tools"],
];

export function exportMenu(page) {
  const version = page.session?.document?.version ?? page.detail.version;
  const dialog = element("dialog", { class: "dialog export", "aria-label": "Export" }, [
    element("header", {}, [
      element("h2", {}, `Export version ${version ?? ""}`),
      button("Close", { symbol: "close", text: false, class: "plain", click: () => dialog.close() }),
    ]),
    element("ul", { class: "choices" }, TYPES.filter(([type]) => page.detail.exports?.includes(type) ?? true).map(([type, name, words]) => element("li", {}, element("button", {
      type: "button", "data-type": type, click: (event) => save(page, version, type, event.currentTarget),
    }, [element("strong", {}, name), element("span", {}, words)])))),
  ]);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

async function save(page, version, type, pressed) {
  pressed.disabled = true;
  pressed.setAttribute("aria-busy", "true");
  try {
    const answer = await api.exportFile(page.id, { version, type });
    const name = /filename="?([^";]+)"?/.exec(answer.headers.get("Content-Disposition") ?? "")?.[1] ?? `${type}-${version}`;
    const url = URL.createObjectURL(await answer.blob());
    element("a", { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60000);
    pressed.closest("dialog").close();
    toast(`${name} was exported.`);
  } catch (error) {
    toast(`Not exported: ${error.message}`, "error");
  } finally {
    pressed.disabled = false;
    pressed.removeAttribute("aria-busy");
  }
}
