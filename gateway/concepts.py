"""TABLE of what may happen in a recording: codes for a :class:`gateway.events.Marker` (PS3.16 CID 3035 to 3039, 3335,
3337). An adapter may use any other code of these groups.
"""

from __future__ import annotations

from gateway.model import Code

EVENT_BUTTON = Code("130893", "DCM", "Event button pressed")  # by the patient, or for him
EVENT_BUTTON_TEST = Code("130894", "DCM", "Event button test")
LEAD_OFF = Code("3:268", "MDC", "Lead disconnected")
ARTIFACT = Code("3:432", "MDC", "Artifact")
PACER = Code("10:4096", "MDC", "Antibradycardia pace spike")
PACER_ATRIUM = Code("10:4352", "MDC", "atrium Antibradycardia pace spike")
PACER_VENTRICLE = Code("10:5120", "MDC", "ventricular Antibradycardia pace spike")
DEFIBRILLATION = Code("10:8192", "MDC", "Defibrillation spike")
CALIBRATION = Code("10:2240", "MDC", "Calibration pulse (individual pulse)")
PREAMPLIFIER_CONNECTED = Code("130889", "DCM", "Preamplifier connected")
PREAMPLIFIER_DISCONNECTED = Code("130890", "DCM", "Preamplifier disconnected")
HYPERVENTILATION_BEGIN = Code("130413", "DCM", "Hyperventilation begin")
HYPERVENTILATION_END = Code("130414", "DCM", "Hyperventilation end")
EYES_OPEN = Code("2:24328", "MDC", "Eyes open")
EYES_CLOSED = Code("2:24320", "MDC", "Eyes closed")
SEIZURE = Code("3:3264", "MDC", "Clinical seizure discharge")
SLEEP_STAGE_WAKE = Code("2:23672", "MDC", "Sleep stage wake")
SLEEP_STAGE_N1 = Code("130834", "DCM", "Sleep Stage N1")
SLEEP_STAGE_N2 = Code("130835", "DCM", "Sleep Stage N2")
SLEEP_STAGE_N3 = Code("130836", "DCM", "Sleep Stage N3")
SLEEP_STAGE_REM = Code("2:23680", "MDC", "Sleep stage REM")
APNEA = Code("3:3072", "MDC", "Apnea")
DESATURATION = Code("3:3246", "MDC", "Desaturation")
END_OF_SYSTOLE = Code("109070", "DCM", "End of systole")
START_OF_INSPIRATION = Code("109030", "DCM", "Start of inspiration")
END_OF_EXPIRATION = Code("109023", "DCM", "End of expiration")
