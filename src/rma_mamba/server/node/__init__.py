"""The DICOM node: receive studies, segment them, and send the results to an archive; the same for watched folders.

`config` has the settings, `node` starts everything. The queue is `work_queue`; `intake` and `watched_folder` fill it,
`work_loop` segments, `delivery` sends.
"""
