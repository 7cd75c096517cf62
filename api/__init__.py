"""The server: follows the pointer, swaps models under load, answers predictions.

No scikit-learn and no pandas at run time; numpy walks the flat forest.
"""

from api.app import create_app
from api.follow import Follower
from api.slot import Served, Slot

__all__ = ["Follower", "Served", "Slot", "create_app"]
