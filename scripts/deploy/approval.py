"""Who has approved a deployment, from GitHub's environment to the ledger.

    python3 scripts/deploy/approval.py name    # lines for GITHUB_ENV: APPROVED_BY, APPROVAL_REASON
    python3 scripts/deploy/approval.py patch   # the JSON patch that tells the promotion's Job

`name` asks GitHub who let the run RUN_ID into its environment, and what they wrote; without
required reviewers nobody did, and it prints nothing. It needs `gh`, and GH_REPO outside a clone.
"""

import json
import os
import subprocess
import sys

VARIABLES = ("APPROVED_BY", "APPROVAL_REASON")
LONGEST = 500  # characters


def name_approver() -> None:
    """Print the newest approval of the run; names and comments are one line each."""
    path = f"repos/{{owner}}/{{repo}}/actions/runs/{os.environ['RUN_ID']}/approvals"
    done = subprocess.run(["gh", "api", path], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"approval: gh api {path}: {done.stderr.strip()}; see docs/deploy.md")
    given = [each for each in json.loads(done.stdout) if each["state"] == "approved"]
    for each in given[-1:]:
        values = (each["user"]["login"], each.get("comment") or "")
        for name, value in zip(VARIABLES, values, strict=True):
            print(f"{name}={' '.join(value.split())[:LONGEST]}")


def patch_job() -> None:
    """Print what adds the approval to the settings of a Job's container."""
    changes = [
        {
            "op": "add",
            "path": "/spec/template/spec/containers/0/env/-",
            "value": {"name": f"TUNEGATE_{name}", "value": os.environ.get(name, "")},
        }
        for name in VARIABLES
    ]
    print(json.dumps(changes))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["name"]:
            name_approver()
        case ["patch"]:
            patch_job()
        case _:
            sys.exit(__doc__)
