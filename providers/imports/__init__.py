"""Readings from files: exports of the vendors, and saved payloads of their APIs.

A format is one function: an open file in, `Observation`s and `Refusal`s out, as they are read. A
record that is not understood is refused by name and the file goes on; a file that is not of the
format raises `FileRefused`, also after some records came out: store all of a file or nothing.
"""

from providers.imports.apple import read_apple
from providers.imports.fhir import read_fhir
from providers.imports.fitbit import read_fitbit
from providers.imports.garmin import read_garmin
from providers.imports.ihealth import read_ihealth
from providers.imports.omh import read_omh
from providers.imports.payloads import read_google_health, read_oura, read_withings
from providers.imports.reading import FileRefused, Format, Importer, Item, Owner
from providers.imports.terra import read_terra
from providers.observation import Provider

__all__ = ["FORMATS", "FileRefused", "Format", "Importer", "Item", "Owner"]

FORMATS: dict[str, Format] = {
    "withings": Format(provider=Provider.WITHINGS, read=read_withings,
                       about="saved answers of the Withings API"),
    "google-health": Format(provider=Provider.GOOGLE_HEALTH, read=read_google_health,
                            about="saved answers of the Google Health API v4"),
    "oura": Format(provider=Provider.OURA, read=read_oura,
                   about="saved answers of the Oura API v2"),
    "garmin": Format(provider=Provider.GARMIN, read=read_garmin,
                     about="payloads that Garmin Health pushes"),
    "terra": Format(provider=Provider.TERRA, read=read_terra, about="payloads that Terra pushes"),
    "fitbit": Format(provider=Provider.FITBIT, read=read_fitbit,
                     about="saved answers of the Fitbit Web API, whose times are local "
                           "(--timezone), and files of Google's Takeout"),
    "apple-health": Format(provider=Provider.APPLE_HEALTH, read=read_apple,
                           about="export.xml of Apple Health, or the export.zip around it"),
    "open-mhealth": Format(provider=Provider.OPEN_MHEALTH, read=read_omh,
                           about="Open mHealth data points or bodies"),
    "fhir": Format(provider=Provider.FHIR, read=read_fhir,
                   about="FHIR R4 Observations, one or a Bundle"),
    "ihealth": Format(provider=Provider.IHEALTH, read=read_ihealth,
                      about="blood pressure and oxygen lists of the iHealth API"),
}
"""What `vitalcast import` can read, by the name it is asked for."""
