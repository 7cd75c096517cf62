"""`tunegate watch` on terminals, without one, and as JSON, while runs go, before and after."""

import signal
from pathlib import Path

import pytest
from rich.cells import cell_len
from support.cli import running, tunegate
from support.cluster.replays import katib_on, load_replay
from support.katib.experiments import algorithm_spec, eventually, shell_command
from support.katib.runs import (
    change_json,
    finished_run,
    parsed_events,
    running_engine,
    write_experiment,
)
from support.katib.runs import runnable_document as tiny
from support.patience import patience
from support.terminals import SHOW_CURSOR, terminal

from katib.cluster import client as kube
from katib.errors import Gone
from katib.local.run_folder import is_running
from tunegate.cli import main
from tunegate.watch.views import cluster_boards, show_boards

NUMBERS = shell_command("echo mse=${trialParameters.x}")
FIVE = {"algorithm": algorithm_spec("grid"), "maxTrialCount": 5}


def gated_command(path: Path) -> tuple[str, ...]:
    return shell_command(
        f"while [ ! -e {path} ]; do sleep 0.05; done; echo mse=${{trialParameters.x}}"
    )


def test_a_run_is_shown_on_a_terminal_as_it_goes_and_the_whole_table_stays(tmp_path: Path) -> None:
    go = tmp_path / "go"
    with terminal("watch", "--state", tmp_path) as screen:
        screen.wait_for(r"waiting for a run below")  # it has not begun
        with running_engine(tmp_path, *gated_command(go), maxTrialCount=6) as (process, _):
            screen.wait_for(r"running")
            go.touch()
            assert screen.wait() == 0
            process.wait(patience(60))
    last = screen.frames[-1]
    assert last[0] == "tiny: succeeded, 6/6 trials ended: 6 succeeded"
    assert [line.split()[0].lstrip("*") for line in last[3:9]] == list("123456")
    assert sum(line.startswith("*") for line in last) == 1
    assert "max trial count has reached; best trial: tiny-" in " ".join(last[9:])
    assert screen.drawn.count(SHOW_CURSOR) == 1


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (60, 12), (33, 24), (16, 8)])
def test_each_frame_fits_its_terminal_with_the_best_and_the_running_ones(
    tmp_path: Path, columns: int, rows: int
) -> None:
    go = tmp_path / "go"
    names = [f"a_rather_long_name_{i}" for i in range(6)]
    space = {name: ("double", {"min": "0", "max": "1"}) for name in names}
    script = (
        f"if [ $(ls {tmp_path}/done | wc -l) -ge 29 ]; "
        f"then while [ ! -e {go} ]; do sleep 0.05; done; fi;"
        f"touch {tmp_path}/done/$KATIB_TRIAL_NAME; echo mse=${{trialParameters.{names[0]}}}"
    )
    (tmp_path / "done").mkdir()
    counts = {"parameters": space, "maxTrialCount": 31, "parallelTrialCount": 1}
    with running_engine(tmp_path, *shell_command(script), **counts) as (process, folder):
        eventually(lambda: len(list((tmp_path / "done").iterdir())) >= 29)
        eventually((folder / "trials.json").exists)
        with terminal("watch", "tiny", "--state", tmp_path, columns=columns, rows=rows) as screen:
            screen.wait_for(r"\*\d+")
            eventually(lambda: len(screen.frames) > 2)
            go.touch()
            assert screen.wait() == 0
        process.wait(patience(60))
    live = [
        frame
        for frame in screen.frames[:-1]
        if any(line.lstrip().startswith("*") for line in frame)
    ]
    assert live
    for frame in live:
        assert len(frame) <= rows
        assert max(map(len, frame)) <= columns
    if columns >= 60:
        assert any("running" in line for line in live[0][3:])


def test_wide_characters_get_the_room_that_they_take(tmp_path: Path) -> None:
    values = ["木", "決定木の葉", "🌲🌳🌴", "とても長い名前の値", "plain and very long"]
    finished_run(
        tmp_path,
        *shell_command("echo mse=1"),
        parameters={"葉の大きさの値": ("categorical", {"list": values})},
        **FIVE,
    )
    with terminal("watch", "tiny", "--state", tmp_path, columns=60) as screen:
        assert screen.wait() == 0
    table = screen.frames[-1][2:8]
    assert len(set(map(cell_len, table))) == 1
    for shown in ["葉の大き …", "木", "決定木の葉", "🌲🌳🌴", "とても長い …", "plain and v…"]:
        assert any(f" {shown} " in line for line in table), shown


def test_ctrl_c_ends_the_watching_quietly_and_not_the_run(tmp_path: Path) -> None:
    go = tmp_path / "go"
    with (
        running_engine(tmp_path, *gated_command(go)) as (process, folder),
        terminal("watch", "--state", tmp_path) as screen,
    ):
        screen.wait_for("running")
        screen.interrupt()
        assert screen.wait() == 130
        assert screen.drawn.endswith(SHOW_CURSOR) or screen.drawn.rstrip("\r\n").endswith(
            SHOW_CURSOR
        )
        assert not any(word in screen.drawn for word in ("Traceback", "resume", "Aborted"))
        assert is_running(folder)
        go.touch()
        assert process.wait(patience(60)) == 0


def test_a_watch_that_is_told_to_end_gives_the_cursor_back(tmp_path: Path) -> None:
    with terminal("watch", "--state", tmp_path) as screen:
        screen.wait_for("waiting for")
        screen.process.send_signal(signal.SIGTERM)
        assert screen.wait() == 143
    assert SHOW_CURSOR in screen.drawn


def test_without_a_terminal_it_is_a_line_a_change_on_stderr(tmp_path: Path) -> None:
    go = tmp_path / "go"
    with (
        running_engine(tmp_path, *gated_command(go), parallelTrialCount=1, maxTrialCount=2),
        running("watch", "tiny", "--state", tmp_path) as command,
    ):
        command.wait_for(": running")
        go.touch()
        assert command.wait() == 0
        assert command.process.stdout
        assert command.process.stdout.read() == ""
    first = [line.partition(": ")[2] for line in command.said if line.startswith("trial 1 ")]
    assert first[0] == "running"
    assert first[1].startswith("succeeded, mse 0.")
    assert "\x1b" not in command.output


def test_json_is_an_object_a_change_and_one_for_the_end(tmp_path: Path) -> None:
    finished_run(tmp_path, *NUMBERS)
    done = tunegate("watch", "--state", tmp_path, "--json")
    *trials, end = parsed_events(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert [each["number"] for each in trials] == [1, 2, 3, 4]
    assert {each["state"] for each in trials} == {"Succeeded"}
    values = {each["trial"]: each["value"] for each in trials}
    best = min(values, key=lambda name: values[name])  # type: ignore[arg-type,return-value]
    assert end["event"] == "end"
    assert end["state"] == "Succeeded"
    assert end["best"]["trial"] == best  # type: ignore[index]
    assert end["where"] == str(tmp_path / "experiments" / "tiny" / "0001")


def test_a_run_that_failed_or_was_killed_says_so_with_exit_code_1(tmp_path: Path) -> None:
    finished_run(tmp_path / "failed", *shell_command("exit 3"), maxFailedTrialCount=1)
    done = tunegate("watch", "--state", tmp_path / "failed")
    assert done.returncode == 1
    assert "exit code 3" in done.stderr
    assert "max failed count has reached; best trial: none" in done.stderr
    with running_engine(tmp_path / "killed", *gated_command(tmp_path / "never")) as (
        process,
        folder,
    ):
        eventually((folder / "trials.json").exists)
        with running("watch", "--state", tmp_path / "killed", "--json") as command:
            eventually(lambda: is_running(folder))
            process.send_signal(signal.SIGKILL)
            assert command.wait() == 1
            assert command.process.stdout
            end = parsed_events(command.process.stdout.read())[-1]
    assert end["state"] == "Interrupted"
    assert "tunegate tune --resume" in str(end["message"])


def test_it_names_the_experiment_by_its_file_and_gives_up_after_the_time_given(
    tmp_path: Path,
) -> None:
    finished_run(tmp_path, *NUMBERS)
    other = tiny(*NUMBERS)
    other["metadata"]["name"] = "other"
    file = write_experiment(tmp_path / "other", other)
    done = tunegate("watch", file, "--state", tmp_path, "--timeout", 1)
    assert done.returncode == 1
    assert f"no run of other below {tmp_path / 'experiments'} in the time given" in done.stderr


def test_a_damaged_status_is_named(tmp_path: Path) -> None:
    folder = finished_run(tmp_path, *NUMBERS).folder
    change_json(folder / "trials.json", lambda content: content.pop("items"))
    done = tunegate("watch", "--state", tmp_path)
    assert done.returncode == 1
    assert f"{folder}: its status is damaged" in done.stderr
    assert "tunegate doctor" in done.stderr


def test_an_experiment_on_a_cluster_is_shown_in_the_same_words(
    capsys: pytest.CaptureFixture[str],
) -> None:
    boards = cluster_boards(katib_on(load_replay("b-goal")), "goal", None)
    assert show_boards(boards, "goal", as_json=True) == 0
    *trials, end = parsed_events(capsys.readouterr().out)
    assert {each["event"] for each in trials} == {"trial"}
    assert end["state"] == "Succeeded"
    assert end["trials"] == 5
    ended = [each for each in trials if each["state"] == "Succeeded"]
    assert len(ended) == 5
    assert all(each["seconds"] > 0 for each in ended)  # type: ignore[operator]
    assert end["best"]["value"] == min(each["value"] for each in ended)  # type: ignore[index,type-var]


def test_the_command_finds_the_experiment_on_the_cluster_by_name(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = load_replay("b-goal")
    monkeypatch.setattr(kube, "connect", lambda _: cluster)
    with pytest.raises(SystemExit) as ended:
        main(["watch", "goal", "--on", "katib", "--namespace", "tuning"])
    assert ended.value.code == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "watching Experiment tuning/goal ..." in said.err
    assert "best trial: goal-" in said.err


def test_ctrl_c_ends_the_watching_of_a_cluster_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = load_replay("b-goal")
    cluster.faults = [None, None, KeyboardInterrupt()]  # type: ignore[list-item] # as the terminal would
    monkeypatch.setattr(kube, "connect", lambda _: cluster)
    with pytest.raises(SystemExit) as ended:
        main(["watch", "goal", "--on", "katib", "--namespace", "tuning", "--json"])
    assert ended.value.code == 130


def test_trials_keep_their_numbers() -> None:
    """Two of the same second, of which the one that appears later is the first by name."""
    seen: dict[str, set[int]] = {}
    for board in cluster_boards(katib_on(load_replay("f-retain")), "retained", None):
        for row in board.rows:
            seen.setdefault(row.name, set()).add(row.number)
    assert sorted(seen.values(), key=min) == [{1}, {2}]


def test_an_experiment_that_is_deleted_meanwhile_is_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    cluster = load_replay("b-goal")
    experiment = next(
        event["object"] for event in cluster.events if event["object"]["kind"] == "Experiment"
    )
    cluster.events = cluster.events[:8]
    cluster.events.append(
        {"type": "DELETED", "seconds": cluster.events[-1]["seconds"] + 1, "object": experiment}
    )
    with pytest.raises(Gone, match="was deleted") as caught:
        show_boards(cluster_boards(katib_on(cluster), "goal", None), "goal", as_json=True)
    assert "tunegate tune --on katib" in caught.value.hint
    assert {each["event"] for each in parsed_events(capsys.readouterr().out)} <= {"trial"}
