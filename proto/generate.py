"""Generates the Python stubs in void_plugin/v1 from the .proto files beside this script.

    python proto/generate.py

The generator is pinned and lives in a virtual environment of its own under build/: stubs of newer ones demand the
newest protobuf, which a client's machine may not have, and it needs an older protobuf than our tests.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GENERATOR = "grpcio-tools==1.76.0"
"""Its stubs run on protobuf 6.31.1 and later, and on grpcio 1.76 and later."""


def main() -> None:
    folder = ROOT / "build" / "generator"
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if not python.exists():
        venv.create(folder, with_pip=False)
        pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*pip, GENERATOR, "setuptools<81"], check=True)
    sources = sorted((ROOT / "proto" / "void_plugin" / "v1").glob("*.proto"))
    for old in (ROOT / "void_plugin" / "v1").glob("*_pb2*"):
        old.unlink()
    command = [str(python), "-m", "grpc_tools.protoc", f"-I{ROOT / 'proto'}"]
    command += [f"--{kind}_out={ROOT}" for kind in ("python", "pyi", "grpc_python")]
    subprocess.run([*command, *map(str, sources)], check=True)
    # Messages alone have no services, so their service stubs are empty.
    for stub in (ROOT / "void_plugin" / "v1").glob("*_pb2_grpc.py"):
        if not stub.name.startswith(("frame_service", "job_service", "engine_service")):
            stub.unlink()


if __name__ == "__main__":
    main()
