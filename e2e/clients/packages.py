"""Installs requirements.txt of this folder into its .venv, once for each state of that file."""
import filecmp
import pathlib
import shutil
import subprocess
import sys
import venv

done = pathlib.Path(".venv/installed.txt")
if not (done.exists() and filecmp.cmp(done, "requirements.txt", shallow=False)):
    venv.create(".venv", clear=True, with_pip=True)
    subprocess.run([".venv/bin/pip", "install", "--quiet", "--no-deps", "--requirement", "requirements.txt"], check=True, stdout=sys.stderr)
    shutil.copy("requirements.txt", done)
