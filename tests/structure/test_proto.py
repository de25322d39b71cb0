"""The .proto files are clean, and the committed stubs are made from them."""

import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import FileDescriptor

from void_plugin.v1 import engine_service_pb2, event_pb2, frame_service_pb2, job_service_pb2, request_pb2

PROTO = Path(__file__).parents[2] / "proto"
BUF = Path(sys.executable).parent / "buf"
MODULES = (engine_service_pb2, event_pb2, frame_service_pb2, job_service_pb2, request_pb2)

pytestmark = pytest.mark.skipif(not BUF.exists(), reason="buf-bin is not installed")


def run_buf(*arguments: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run([str(BUF), *arguments], cwd=PROTO, capture_output=True, check=False)


def test_buf_finds_nothing_to_complain_about() -> None:
    lint = run_buf("lint")
    assert lint.returncode == 0, lint.stdout.decode() + lint.stderr.decode()
    wanted = run_buf("format", "--diff", "--exit-code")
    assert wanted.returncode == 0, wanted.stdout.decode()


def plain(descriptor: descriptor_pb2.FileDescriptorProto) -> bytes:
    """A descriptor without what compilers add or leave out by taste."""
    copy = descriptor_pb2.FileDescriptorProto()
    copy.CopyFrom(descriptor)
    copy.ClearField("source_code_info")
    copy.ClearField("syntax")

    def strip(messages: "list[descriptor_pb2.DescriptorProto]") -> None:
        for message in messages:
            for field in message.field:
                field.ClearField("json_name")
            strip(list(message.nested_type))

    strip(list(copy.message_type))
    return copy.SerializeToString(deterministic=True)


def committed(module: object) -> descriptor_pb2.FileDescriptorProto:
    found = descriptor_pb2.FileDescriptorProto()
    descriptor: FileDescriptor = module.DESCRIPTOR  # type: ignore[attr-defined]
    descriptor.CopyToProto(found)
    return found


def test_the_committed_stubs_say_what_the_proto_files_say() -> None:
    """After a change of a .proto file: `python proto/generate.py`."""
    built = run_buf("build", "--as-file-descriptor-set", "-o", "-")
    assert built.returncode == 0, built.stderr.decode()
    fresh = descriptor_pb2.FileDescriptorSet.FromString(built.stdout)
    ours = {file.name: plain(file) for file in fresh.file if file.name.startswith("void_plugin/")}
    assert ours == {module.DESCRIPTOR.name: plain(committed(module)) for module in MODULES}


def test_every_call_lists_its_errors() -> None:
    for path in sorted((PROTO / "void_plugin" / "v1").glob("*_service.proto")):
        comment: list[str] = []
        for line in path.read_text(encoding="utf-8").splitlines():
            text = line.strip()
            if text.startswith("//"):
                comment.append(text)
            elif text.startswith("rpc "):
                name = text.split()[1].partition("(")[0]
                assert comment[0].startswith(f"// {name} "), f"{path.name}: the comment of {name} begins with its name"
                assert "// Errors:" in comment and any(line.startswith("// - ") for line in comment), name
                comment = []
            else:
                comment = []


def test_the_generator_is_pinned() -> None:
    assert '"grpcio-tools==1.76.0"' in (PROTO / "generate.py").read_text(encoding="utf-8")
