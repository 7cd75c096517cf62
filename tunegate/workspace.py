"""What the settings name: the model store, the ledger, the runs and the verdicts."""

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path

from katib.local.run_folder import TRIALS, newest_run, read_objects
from katib.objects import JsonObject
from promote.deploy_details import DeployDetails, deploy_details, rollback_details
from promote.promotion import Promoter
from promote.smoke import smoke_test
from promote.verdict import Verdict
from registry import Challenge, Entry, Ledger, ModelStore, champion
from registry.atomic_files import write_atomic
from registry.errors import PackageError
from registry.package import ModelPackage, load_package
from registry.record import InvalidRecord
from registry.sqlite import SqliteLedger
from trainer.spec import DataSetSpec, load_spec
from tunegate.errors import UsageError
from tunegate.run_data import with_remembered_data
from tunegate.settings import Settings


class Workspace:
    """The model store, ledger, runs and verdicts of the settings, for a command to work on.

    Attributes:
        given: the settings as they were given; their `data` may be empty.
        settings: the same with the data of a run, where they name none.
    """

    def __init__(self, settings: Settings, *, run: Path | None = None) -> None:
        """Take the data, unless the settings name them, of `run`, by default the newest.

        Raises:
            UsageError: when something else stands in the place of the state folder.
        """
        _require_folder(settings.state)
        self.given = settings
        self.settings = with_remembered_data(settings, run)
        self.store = open_store(self.settings)
        self.experiments = settings.state / "experiments"

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger, opened when it is first used: the server has no client for a registry."""
        return open_ledger(self.settings)

    @cached_property
    def spec(self) -> DataSetSpec:
        """The data set's spec, read when it is first used: with `model` set it may be missing."""
        return load_spec(self.settings.data)

    @property
    def model(self) -> str:
        """The model's name: the settings', or the data set's."""
        return self.settings.model or self.spec.name

    def of_run(self, run: Path | None) -> "Workspace":
        """Return this workspace with the data of a run, unless its settings name data."""
        return Workspace(self.given, run=run)

    def history(self) -> Sequence[Entry]:
        """Return the model's promotions, the first one first.

        Raises:
            UsageError: when the settings name a state folder that does not exist.
        """
        settings = self.settings
        is_named = settings.state != Settings().state
        if is_named and not settings.ledger and not settings.state.is_dir():
            raise UsageError(
                f"{settings.state}: no such folder", hint="--state names the folder of runs"
            )
        return self.ledger.history(self.model)

    def challenges(self) -> Sequence[Challenge]:
        """Return all decisions about candidates, the first one first."""
        return self.ledger.challenges(self.model)

    def champion(self) -> Entry | None:
        """Return what is in production."""
        return champion(self.ledger.history(self.model))

    def champion_package(self) -> ModelPackage | PackageError | None:
        """Return the champion's package, why it cannot be trusted, or None without a champion."""
        entry = self.champion()
        if entry:
            return _load_or_error(partial(self.store.open, entry.promotion.sha256))
        return None

    def trial_package(self, trial: str) -> ModelPackage | PackageError:
        """Return the package that a trial has written, or why it cannot be trusted."""
        return _load_or_error(partial(load_package, self.store.trial(trial)))

    def promoter(
        self, *, url: str = "", notify: Callable[[str], None] = lambda _: None
    ) -> Promoter:
        """Return the promotion protocol; it smoke-tests the service at `url`, if there is one."""
        test = partial(smoke_test, url, key=self.settings.key) if url else None
        actor = self.settings.actor
        owner = self.settings.owner
        return Promoter(self.store, self.ledger, test, actor=actor, owner=owner, notify=notify)

    def last_run(self, experiment: str | None = None) -> Path:
        """Return the newest run's folder, of one Experiment or of any; see `run_folder.newest_run`.

        Raises:
            UsageError: when there is none, or it has not started a trial yet.
        """
        run = newest_run(self.experiments, experiment or "")
        if run is None:
            raise UsageError(f"no run below {self.experiments}", hint="run `tunegate tune` first")
        if not (run / TRIALS).exists():
            hint = "`tunegate doctor` says whether it runs or was interrupted"
            raise UsageError(f"{run}: it has not started a trial yet", hint=hint)
        return run

    def trials(self, run: Path) -> list[JsonObject]:
        """Return the Trial objects of a run."""
        return read_objects(run)[1]

    def save_verdict(self, verdict: Verdict) -> Path:
        """Keep a verdict under its digest and as the latest one."""
        path = self.settings.state / "verdicts" / f"{verdict.digest()}.json"
        write_atomic(path, verdict.canonical())
        write_atomic(path.with_name("latest.json"), verdict.canonical())
        return path

    def latest_verdict(self) -> Verdict:
        """Return the newest verdict; raises as `kept_verdict` does."""
        return self.kept_verdict("latest")

    def kept_verdict(self, digest: str) -> Verdict:
        """Return the verdict of this digest.

        Raises:
            UsageError: when there is none in the state folder, or it cannot be read.
        """
        path = self.settings.state / "verdicts" / f"{digest}.json"
        try:
            return Verdict.parse(path.read_bytes())
        except FileNotFoundError as error:
            raise UsageError(
                f"no verdict below {path.parent}", hint="run `tunegate gate` first"
            ) from error
        except (OSError, InvalidRecord) as error:
            raise UsageError(
                f"{path}: not a readable verdict: {error}", hint="run `tunegate gate` again"
            ) from error

    def save_details(self, verdict: Verdict, before: Entry | None, after: Entry | None) -> None:
        """Write deploy_details.json after a decision."""
        now = datetime.now(UTC)
        uri = self.settings.uri
        self._write(deploy_details(verdict, before=before, after=after, store_uri=uri, now=now))

    def save_rollback(self, before: Entry | None, after: Entry) -> None:
        """Write deploy_details.json after a rollback."""
        now = datetime.now(UTC)
        uri = self.settings.uri
        self._write(rollback_details(before=before, after=after, store_uri=uri, now=now))

    def _write(self, details: DeployDetails) -> None:
        write_atomic(self.settings.details_path, details.to_json(indent=1) + b"\n")


def open_store(settings: Settings) -> ModelStore:
    """Return the model store that the settings name."""
    if not settings.bucket:
        return ModelStore(settings.store_path, settings.signing)
    from registry.bucket import BucketStore, open_bucket  # noqa: PLC0415 - rarely needed

    bucket = open_bucket(settings.bucket)
    return BucketStore(bucket, settings.store_path, settings.signing)


def open_ledger(settings: Settings) -> Ledger:
    """Return the ledger that the settings name."""
    if settings.ledger_bucket:
        from registry.bucket import BucketLedger, open_bucket  # noqa: PLC0415 - rarely needed

        return BucketLedger(open_bucket(settings.ledger_bucket))
    if not settings.registry:
        return SqliteLedger(settings.ledger_path)
    from registry.kubeflow import KubeflowLedger, RegistryClient  # noqa: PLC0415 - takes a second to import

    client = RegistryClient(settings.registry, token=settings.ledger_token, ca=settings.ledger_ca)
    return KubeflowLedger(client, store_uri=settings.uri, environment=settings.environment)


def _load_or_error(load: Callable[[], ModelPackage]) -> ModelPackage | PackageError:
    try:
        return load()
    except PackageError as error:
        return error


def _require_folder(folder: Path) -> None:
    """Refuse a folder whose place is taken by something else; it may still be missing."""
    here = next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))
    if not here.is_dir():
        raise UsageError(
            f"{here}: not a folder", hint="move it away, or choose another folder with --state"
        )
