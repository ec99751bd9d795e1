"""What a derived DICOM object tells of the patient and the study, and when it was made.

The patient and study modules are repeated, so that archives file the object with its scan. Remarks about the patient
and private elements are not: nobody expects them in a new object, which may be sent elsewhere than the scan.

Source: DICOM PS3.3 C.7.1.1, C.7.2.1 and C.7.2.2 (patient, study, patient study), C.7.3.1 (series), C.12.1 (SOP common).
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pydicom
from pydicom.datadict import tag_for_keyword

# Remarks about the patient, and the diagnoses and reasons that stand next to them as codes.
WITHHELD = (
    *("PatientComments", "MedicalAlerts", "Allergies", "Occupation", "AdditionalPatientHistory"),
    *("AdmittingDiagnosesDescription", "AdmittingDiagnosesCodeSequence"),
    *("ReasonForVisit", "ReasonForVisitCodeSequence", "PatientState", "SpecialNeeds"),
    *("ServiceEpisodeDescription", "VisitComments", "StudyComments", "ReasonForStudy"),
    *("ImageComments", "PatientAddress", "PatientTelephoneNumbers", "PatientReligiousPreference"),
    "InstitutionAddress",
)

# Elements of the patient module that highdicom does not copy.
_ALSO_REPEATED = ("EthnicGroup", "EthnicGroups")

_WITHHELD_TAGS = frozenset(tag for tag in map(tag_for_keyword, WITHHELD) if tag is not None)


def complete_provenance(dataset: pydicom.Dataset, header: pydicom.Dataset) -> None:
    """Finish the patient, study and series modules of a derived object, in place.

    Args:
        dataset: The object, with the modules that highdicom copied.
        header: Header of an image of the scan.
    """
    for keyword in _ALSO_REPEATED:
        if keyword in header:
            dataset[keyword] = header[keyword]
    dataset.walk(_withhold)
    _set_dates(dataset, header)


def _withhold(dataset: pydicom.Dataset, element: pydicom.DataElement) -> None:
    if element.tag.is_private or element.tag in _WITHHELD_TAGS:
        del dataset[element.tag]


def _set_dates(dataset: pydicom.Dataset, header: pydicom.Dataset) -> None:
    """One time for series, content and instance, in the time zone of the study's date and time."""
    offset = str(header.get("TimezoneOffsetFromUTC") or "").strip()
    zone = _time_zone(offset)
    if zone is not None:
        dataset.TimezoneOffsetFromUTC = offset
    now = datetime.now(zone)
    date, time = now.strftime("%Y%m%d"), now.strftime("%H%M%S.%f")
    dataset.SeriesDate, dataset.SeriesTime = date, time
    for part in ("InstanceCreation", "Content", "StructureSet"):
        if f"{part}Date" in dataset:
            setattr(dataset, f"{part}Date", date)
            setattr(dataset, f"{part}Time", time)


def _time_zone(offset: str) -> timezone | None:
    """The time zone of an offset such as "+0200"; None if there is no valid one, which means local time."""
    try:
        zone = datetime.strptime(offset, "%z").utcoffset()
    except ValueError:
        return None
    return None if zone is None or abs(zone) > timedelta(hours=14) else timezone(zone)
