"""The methods of Katib's `Suggestion` service; nothing is kept here between two calls."""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from katib.search.algorithms import describe_sampler
from katib.suggestion.memory import SETTING
from katib.suggestion.messages import Message
from katib.suggestion.points import suggest_points
from katib.suggestion.reading import to_search
from katib.suggestion.server import Context, M, Method, logger_of, refusals

NAME = "Suggestion"
logger = logger_of(NAME)


class Suggestion:
    """The two methods, under the names of Katib's protocol."""

    def __init__(self) -> None:
        # One thread: warning filters, which change while Optuna is asked, belong to the process;
        # and each thread that asks would keep some memory for itself.
        self._asking = ThreadPoolExecutor(1)

    @property
    def methods(self) -> Mapping[str, Method]:
        """The methods by name."""
        return {
            "GetSuggestions": self.get_suggestions,
            "ValidateAlgorithmSettings": self.validate_algorithm_settings,
        }

    def get_suggestions(self, request: Message, context: Context) -> Message:
        """Answer as many points as asked for."""
        began = time.perf_counter()
        with refusals(context, logger):
            answer = self._asking.submit(suggest_points, request).result()
        took = (time.perf_counter() - began) * 1000
        name = request.experiment.name
        logger.info(
            "%s: %d points after %d trials, %.0f ms",
            name,
            len(answer.points),
            len(request.trials),
            took,
        )
        reply = M["GetSuggestionsReply"]()
        for trial, point in answer.points:
            pairs = [
                M["ParameterAssignment"](name=name, value=value) for name, value in point.items()
            ]
            reply.parameter_assignments.add(assignments=pairs, trial_name=trial)
        kept = answer.memory.to_setting()
        reply.algorithm.algorithm_name = request.experiment.spec.algorithm.algorithm_name
        reply.algorithm.algorithm_settings.add(name=SETTING, value=kept)
        return reply

    def validate_algorithm_settings(self, request: Message, context: Context) -> Message:
        """Refuse, with all reasons, an Experiment that could not be served."""
        with refusals(context, logger):
            search = to_search(request.experiment)
            sampler = describe_sampler(search.algorithm, search.parameters, search.settings)
            logger.info("%s: %s", request.experiment.name, sampler)
        return M["ValidateAlgorithmSettingsReply"]()
