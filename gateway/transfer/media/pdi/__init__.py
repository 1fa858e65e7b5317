"""IHE PDI (RAD TF-3 4.47): what a person sees who opens the medium without a DICOM viewer.

INDEX.HTM   what the medium is, from whom, and what is on it
README.TXT  whom to ask, what made it, how it is laid out
IHE_PDI/    a page for each study, with a picture of each ECG and still, and the pages that list all studies

tree                 the DICOMDIR as patients, studies and instances; words: what its values mean to a person
pages, readme        what stands on the pages (pure)
pictures, stills     one instance as SVG, JPEG, PNG, or the PDF that is in it: the only part that needs pydicom
shelf                what was written already, so that it is not written again
studies, lists       the pages of each study; what lists them
refreshing, keeping  :func:`refresh`; when the carrier does so

The DICOMDIR names nothing of it, and nothing in it is needed: it is replaceable, a cut may leave it stale or torn, and
on a full medium it is the first to be left out. No script, no server, no address outside the medium.
"""

from gateway.transfer.media.pdi.keeping import Pages
from gateway.transfer.media.pdi.readme import About, about
from gateway.transfer.media.pdi.refreshing import refresh

__all__ = ["About", "Pages", "about", "refresh"]
