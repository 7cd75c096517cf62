"""The server: follows the pointer, swaps models under load, answers predictions.

No scikit-learn and no pandas at run time; numpy runs the package's model.
"""

from api.app import create_app
from api.serving.follower import Follower
from api.serving.served import Served, Slot

__all__ = ["Follower", "Served", "Slot", "create_app"]
