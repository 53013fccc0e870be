"""Puts the study's form into a wheel: kdprune/shipped (kdprune.home says what and why)."""

import shutil
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT))

from kdprune.home import FORM, IMAGES, LEFT_OUT, SHIPPED, STAGES  # noqa: E402


class WithForm(build_py):
    """Copies what makes a study beside the package's own modules."""

    def run(self) -> None:
        """Build, then copy; an editable install has the clone itself."""
        super().run()
        if self.editable_mode:
            return
        for name in (*STAGES, *FORM, *IMAGES):
            source, target = ROOT / name, Path(self.build_lib) / "kdprune" / SHIPPED / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                left_out = shutil.ignore_patterns(*LEFT_OUT)
                shutil.copytree(source, target, ignore=left_out, dirs_exist_ok=True)
            else:
                shutil.copyfile(source, target)


setup(cmdclass={"build_py": WithForm})
