"""What `tunegate serve` says as it starts."""

from pathlib import Path

from support.cli import free_port, running


def test_a_model_that_is_named_twice_is_served_once_and_waited_for(tmp_path: Path) -> None:
    also = ("--also", "boston", "--also", "iris", "--also", "iris")
    with running("serve", "--state", tmp_path, "--port", free_port(), *also) as command:
        command.wait_for("nothing of iris is in production yet: waiting")
        assert "serving boston, iris at " in command.output
        assert command.output.count(": waiting") == 2
