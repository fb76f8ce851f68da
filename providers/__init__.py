"""Vendor APIs in, observations out."""

import logging

# At DEBUG urllib3 writes the address of every request: dates, page tokens, a patient's account.
logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)
