"""Compile the C kernel into the wheel if there is a compiler.

Without one the wheel is pure Python, and numpy walks the trees.

CC                       the compiler (default: the first of cc, gcc, clang on the PATH)
TUNEGATE_REQUIRE_KERNEL  1: fail if the kernel cannot be compiled, instead of building without it
"""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import platform_tags

PACKAGE = Path("registry", "package")
SOURCE = PACKAGE / "kernel.c"
LIBRARY = PACKAGE / "libkernel.so"
# Contracted multiplications and other liberties would change the last bit. Nothing depends on the
# machine that builds, so equal sources and compilers give equal bytes.
FLAGS = (
    "-std=c99",
    "-O3",
    "-fno-fast-math",
    "-ffp-contract=off",
    "-fvisibility=hidden",
    "-fPIC",
    "-shared",
)


class KernelHook(BuildHookInterface[Any]):
    """Called for every wheel, editable ones included."""

    def initialize(
        self,
        version: str,  # noqa: ARG002 - the interface's name
        build_data: dict[str, Any],
    ) -> None:
        """Compile the kernel, replacing any library of other sources.

        Raises:
            RuntimeError: the kernel is required, and cannot be compiled.
        """
        root = Path(self.root)
        problem = _compile_kernel(root)
        if not problem:
            build_data |= {"pure_python": False, "tag": f"py3-none-{_platform_tag()}"}
            build_data["artifacts"].append(LIBRARY.as_posix())
            return
        (root / LIBRARY).unlink(missing_ok=True)
        if os.environ.get("TUNEGATE_REQUIRE_KERNEL") == "1":
            raise RuntimeError(
                f"the C kernel is required (TUNEGATE_REQUIRE_KERNEL=1), but {problem}"
            )
        self.app.display_warning(f"no C kernel, numpy walks the trees instead: {problem}")


def _compile_kernel(root: Path) -> str:
    """Compile the kernel; return an empty text, or what prevented it."""
    compiler = _find_compiler()
    if not compiler:
        return "there is no C compiler (cc, gcc or clang; or name one in CC)"
    new = LIBRARY.with_suffix(f".{os.getpid()}.tmp")  # a process that runs keeps the old one
    try:
        done = subprocess.run(
            [*compiler, *FLAGS, "-o", new, SOURCE],
            cwd=root,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            return f"{shlex.join(compiler)} failed: {done.stderr.strip()}"
        (root / new).replace(root / LIBRARY)
    except OSError as error:
        return f"{shlex.join(compiler)} cannot be run: {error.strerror}"
    finally:
        (root / new).unlink(missing_ok=True)
    return ""


def _find_compiler() -> list[str]:
    if os.environ.get("CC"):
        return shlex.split(os.environ["CC"])
    return next(([name] for name in ("cc", "gcc", "clang") if shutil.which(name)), [])


def _platform_tag() -> str:
    # manylinux would promise that an old C library is enough, which nobody has checked here.
    tag = next(tag for tag in platform_tags() if not tag.startswith(("manylinux", "musllinux")))
    if sys.platform != "darwin":
        return tag
    from hatchling.builders.macos import process_macos_plat_tag  # noqa: PLC0415 - for macOS alone

    return process_macos_plat_tag(tag, compat=False)
