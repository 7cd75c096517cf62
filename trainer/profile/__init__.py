"""The profile of a table: pure, from a DataFrame to decisions with their reasons.

It says which task the target asks for, which columns are not learned from, what may mean a missing
value, and what a person should look at. Nothing is read or written here.
"""

from trainer.profile.column_facts import ColumnFacts, count_column
from trainer.profile.decisions import decide_columns, keep_lines
from trainer.profile.features import FeatureChoice, choose_features, finding_lines
from trainer.profile.suspects import MissingMarker
from trainer.profile.table_profile import ColumnProfile, TableProfile, profile_table
from trainer.profile.target_profile import TASKS, TargetProfile, Task, profile_target

__all__ = [
    "TASKS",
    "ColumnFacts",
    "ColumnProfile",
    "FeatureChoice",
    "MissingMarker",
    "TableProfile",
    "TargetProfile",
    "Task",
    "choose_features",
    "count_column",
    "decide_columns",
    "finding_lines",
    "keep_lines",
    "profile_table",
    "profile_target",
]
