"""Every board."""

from dashboards.boards.accuracy import ACCURACY
from dashboards.boards.drift import DRIFT
from dashboards.boards.operations import OPERATIONS
from dashboards.boards.patient import PATIENT_BOARD
from dashboards.boards.quality import QUALITY

BOARDS = (QUALITY, DRIFT, ACCURACY, OPERATIONS, PATIENT_BOARD)
