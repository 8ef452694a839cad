"""What hatchling runs when it builds a wheel: compile the launcher, where that can be done."""

from __future__ import annotations

import runpy
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import (  # type: ignore[import-not-found, unused-ignore]
    BuildHookInterface,
)


class LauncherBuildHook(BuildHookInterface):  # type: ignore[misc, type-arg, unused-ignore]
    """The launcher goes into the wheel, and the wheel is for this machine; or neither."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it builds; `version` is "standard" or "editable"."""
        folder = Path(self.root, "ipam", "launcher")
        target = folder / "launcher"
        compiling = runpy.run_path(str(folder / "compile.py"))  # the package cannot be imported where it is built
        try:
            compiling["compile_launcher"](target)
        except compiling["CannotCompile"] as reason:
            target.unlink(missing_ok=True)  # an older one may speak another protocol than this package
            self.app.display_warning(f"ipam is built without its native launcher: {reason}")
            return
        self.app.display_info(f"compiled {target} ({version} build)")
        build_data["artifacts"].append("/ipam/launcher/launcher")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"
