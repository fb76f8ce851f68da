"""Which version of its parse functions a source is read with; stored with every reading.

When a change to a parse function makes another reading of a body that was stored before (a value,
a time, a key, a quality; one more or one less), count its source up by one. Then a replay replaces
what the older version made of the same payload, and never the other way round. What changes speed,
a reason's wording or what is refused alone needs no new version.
"""

from collections.abc import Mapping

from providers.observation import Provider

_SINCE_FIRST = {
    # Means of hours and days, temperatures by their place, odd figures refused alone.
    Provider.GARMIN: 3, Provider.TERRA: 3, Provider.APPLE_HEALTH: 3,
    Provider.OPEN_MHEALTH: 2, Provider.FHIR: 2, Provider.IHEALTH: 2, Provider.FITBIT: 2,
    Provider.GOOGLE_HEALTH: 2, Provider.OURA: 2,
}

PARSER_VERSIONS: Mapping[Provider, int] = dict.fromkeys(Provider, 1) | _SINCE_FIRST
