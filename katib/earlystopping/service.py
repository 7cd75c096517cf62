"""The methods of Katib's `EarlyStopping` service; only the database's address is kept."""

import time
from collections.abc import Mapping

from katib.earlystopping.observation import ReportDatabase
from katib.earlystopping.rules import rule_for, setting_problems
from katib.earlystopping.status import TrialStatuses
from katib.errors import ClusterUnreachable, InvalidExperiment
from katib.suggestion.messages import Message
from katib.suggestion.server import Context, M, Method, logger_of, refusals

NAME = "EarlyStopping"
LESS = 2
GREATER = 3  # of Katib's ComparisonType
LARGEST_STEP = (1 << 31) - 1  # an int32 on the wire
logger = logger_of(NAME)


class EarlyStopping:
    """The three methods, under the names of Katib's protocol."""

    def __init__(self, trials: TrialStatuses, database: ReportDatabase) -> None:
        self._trials = trials
        self._database = database

    @property
    def methods(self) -> Mapping[str, Method]:
        """The methods by name."""
        return {
            "GetEarlyStoppingRules": self.get_early_stopping_rules,
            "SetTrialStatus": self.set_trial_status,
            "ValidateEarlyStoppingSettings": self.validate_early_stopping_settings,
        }

    def get_early_stopping_rules(self, request: Message, context: Context) -> Message:
        """Answer the rule for trials that are made now, or none.

        The answer is no rule, too, when Katib's database does not answer: an error would make Katib
        throw away the points that it has just got, and ask for both again until there is a rule.
        """
        began = time.perf_counter()
        if request.db_manager_address:
            self._database.address = request.db_manager_address
        with refusals(context, logger):
            rules = _rule_messages(request)
        took = (time.perf_counter() - began) * 1000
        name = request.experiment.name
        outcome = f"limit {rules[0].value}" if rules else "no rule"
        logger.info("%s: %s after %d trials, %.0f ms", name, outcome, len(request.trials), took)
        return M["GetEarlyStoppingRulesReply"](early_stopping_rules=rules)

    def set_trial_status(self, request: Message, context: Context) -> Message:
        """Mark a trial that Katib's collector has stopped as EarlyStopped, with its observation."""
        with refusals(context, logger):
            written = self._trials.mark_stopped(request.trial_name, self._database.observation)
            outcome = "early-stopped" if written else "was early-stopped already"
            logger.info("%s: %s", request.trial_name, outcome)
        return M["SetTrialStatusReply"]()

    def validate_early_stopping_settings(self, request: Message, context: Context) -> Message:
        """Refuse, with all reasons, settings with which there would be no rule."""
        with refusals(context, logger):
            if problems := setting_problems(request.early_stopping):
                raise InvalidExperiment("; ".join(problems))
        return M["ValidateEarlyStoppingSettingsReply"]()


def _rule_messages(request: Message) -> list[Message]:
    try:
        rule = rule_for(request)
    except ClusterUnreachable as error:
        logger.warning("%s: the trials' reports cannot be read: %s", request.experiment.name, error)
        return []
    if rule.limit is None or rule.start_step > LARGEST_STEP:
        return []
    metric = request.experiment.spec.objective.objective_metric_name
    comparison = GREATER if rule.minimize else LESS
    values = {"value": repr(rule.limit), "comparison": comparison, "start_step": rule.start_step}
    return [M["EarlyStoppingRule"](name=metric, **values)]
