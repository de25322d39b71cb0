"""The `void` command as it is typed, with `tests/fakes/fake_services.py` in the server's place."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fakes.fake_services import MAGIC, TOKEN, FakeServer, by_prompt
from servers import rest_of

from void_plugin import cli
from void_plugin.config import Config
from void_plugin.events import Event, Failed, Finished, FrameReady, Stopped, from_line, is_last
from void_plugin.frames import FrameRange
from void_plugin.request import ImageInput, Output, RemovalRequest
from void_plugin.settings import RenderSettings

ROOT = Path(__file__).parents[2]
FAKE = ROOT / "tests" / "fakes" / "fake_services.py"

needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is no signal to another process there")


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose void-server is the fake one, with six frames of plate and matte in the current folder."""
    (tmp_path / "config.json").write_text(json.dumps({"server_command": [sys.executable, str(FAKE)]}))
    monkeypatch.setenv("VOID_CONFIG", str(tmp_path / "config.json"))
    for name in [name for name in os.environ if name.startswith("VOID_") and name != "VOID_CONFIG"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("FAKE_LOG", str(tmp_path / "started.jsonl"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.chdir(tmp_path)
    for frame in range(1001, 1007):
        for name in ("plate", "matte"):
            (tmp_path / f"{name}.{frame}.exr").write_bytes(MAGIC + f"{name} {frame}".encode())


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FakeServer]:
    """A running server of this user, which is not configured."""
    with FakeServer(script=by_prompt) as running:
        state = tmp_path / "state" / "void_plugin"
        state.mkdir(parents=True)
        (state / "token").write_text(TOKEN)
        (state / "server.json").write_text(json.dumps({"address": running.address}))
        yield running
        for job in running.jobs.values():
            job.cancelled = True


REMOVE = ["remove", "--plate", "plate.####.exr", "--matte", "matte.$F4.exr", "--out", "out/result.%04d.exr"]
CHANNELS = [f"--{name}-channel" for name in ("coverage", "weight", "change", "source")]


def saved_request() -> RemovalRequest:
    (path,) = Path("out/.void").glob("*/request.json")
    return RemovalRequest.load(str(path))


def program() -> dict[str, object]:
    """The private server that was started last."""
    return json.loads(Path("started.jsonl").read_text().splitlines()[-1])  # type: ignore[no-any-return]


def events_in(text: str) -> list[Event]:
    events = [from_line(line) for line in text.splitlines()]
    assert None not in events
    return [event for event in events if event is not None]


def start(*arguments: str, **more: object) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(  # type: ignore[call-overload, no-any-return]
        [sys.executable, "-m", "void_plugin.cli", *arguments],
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more},
    )


def test_a_removal_says_in_plain_lines_what_it_does_and_what_came_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*REMOVE, "--prompt", "an empty lawn"]) == 0
    output, errors = capsys.readouterr()
    assert errors == ""
    lines = output.splitlines()
    assert "identity on cpu: It is asked." in lines
    assert "warning: The matte is empty. (frame 1003)" in lines
    assert "frame 1006 (6/6), coverage 50%" in lines
    assert lines.count("step solve") == 1
    assert "frames: 6 (1001-1006)" in lines
    assert f"output: {Path('out/result.%04d.exr')}" in lines
    assert "pixels: 90.0% untouched, 8.0% recovered, 2.0% generated" in lines
    assert any(
        line.startswith("lowest coverage: 50% on frame 1001: background not seen") and "use VOID" in line
        for line in lines
    )
    assert any(line.startswith("time: ") and "frames/s" in line for line in lines)


def test_json_prints_event_lines_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*REMOVE, "--json"]) == 0
    events = events_in(capsys.readouterr().out)
    assert isinstance(events[-1], Finished)
    assert [is_last(event) for event in events].count(True) == 1


def test_every_option_reaches_the_request(tmp_path: Path) -> None:
    options = {
        "--affected": "affected.@@@@.exr", "--holdout": "hold.%04d.exr", "--exclude": "no.%04d.exr",
        "--clean-plate": "clean.1001.exr", "--plate-channels": "R,G, B", "--matte-channel": "roto.a",
        "--frames": "1001-1004", "--shot-range": "1001-1006", "--context": "8", "--handles": "2",
        "--prompt": "grass", "--engine": "identity", "--output": "comp", "--also-output": "patch=out/p.####.exr",
        "--colour": "ACEScg", "--encoding": "acescct", "--seed": "7", "--recover-affected": "fill",
        "--recover-grain": "clean", "--compression": "zip", "--view": "left", "--shot": "sh010", "--priority": "80",
        "--void-passes": "2", "--void-steps": "20", "--void-pass2-steps": "40", "--void-guidance": "4.5",
        "--void-mask-levels": "binary", "--void-short-clips": "short", "--void-last-window": "full",
        "--void-flow": "raft", "--void-raster": "1008x576", "--source": "generated", "--grain": "scatter",
        "--detail": "tiled", "--rate": "physics", "--fps": "23.976", "--affected-preset": "path",
        "--affected-angle": "-20", "--affected-path": "10,20 30.5,40",
    }  # fmt: skip
    typed = [part for pair in options.items() for part in pair]
    assert cli.main([*REMOVE, *typed, "--void-all-windows", *CHANNELS, "--workers", "5"]) == 0
    request = saved_request()
    assert request.request_id
    arguments = program()["arguments"]
    assert isinstance(arguments, list) and arguments[arguments.index("--workers") + 1] == "5"

    def here(root: str, name: str, *channels: str) -> ImageInput:
        assert request.roots[root] == str(tmp_path)
        return ImageInput(f"<{root}>/{name}", channels)

    assert request == RemovalRequest(
        plate=here("plate", "plate.%04d.exr", "R", "G", "B"),
        object_matte=here("plate", "matte.%04d.exr", "roto.a"),
        affected_matte=here("plate", "affected.%04d.exr", "roto.a"),
        holdout_matte=here("plate", "hold.%04d.exr", "roto.a"),
        exclude_matte=here("plate", "no.%04d.exr", "roto.a"),
        clean_plate=here("plate", "clean.1001.exr", "R", "G", "B"),
        outputs=(Output("comp", "<output>/result.%04d.exr"), Output("patch", "<output>/p.%04d.exr")),
        frames=FrameRange(1001, 1004),
        shot_range=FrameRange(1001, 1006),
        context=8,
        handles=2,
        prompt="grass",
        engine="identity",
        colour="ACEScg",
        view="left",
        shot="sh010",
        priority=80,
        settings=RenderSettings(
            seed=7,
            encoding="acescct",
            recover_affected="fill",
            recover_grain="clean",
            compression="zip",
            coverage_channel=True,
            weight_channel=True,
            change_channel=True,
            source_channel=True,
            source="generated",
            grain="scatter",
            detail="tiled",
            rate="physics",
            fps=23.976,
            affected_preset="path",
            affected_angle=-20.0,
            affected_path="10,20 30.5,40",
            void_passes=2,
            void_steps=20,
            void_pass2_steps=40,
            void_guidance=4.5,
            void_mask_levels="binary",
            void_short_clips="short",
            void_last_window="full",
            void_all_windows=True,
            void_flow="raft",
            void_raster="1008x576",
        ),
        roots=request.roots,
        request_id=request.request_id,
    )


def test_without_options_the_request_has_its_defaults_and_the_frames_on_disk() -> None:
    assert cli.main(REMOVE) == 0
    request = saved_request()
    assert request.frames == FrameRange(1001, 1006)
    assert (request.engine, request.settings, request.outputs[0].kind) == ("auto", RenderSettings(), "patch")


def test_a_saved_request_is_run_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*REMOVE, "--frames", "1002-1003"]) == 0
    (path,) = Path("out/.void").glob("*/request.json")
    capsys.readouterr()
    assert cli.main(["remove", "--request", str(path)]) == 0
    assert "frames: 2 (1002-1003)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "COMMAND"),
        (["remove"], "--plate"),
        (["remove", "--plate", "p.%04d.exr"], "--out"),
        (["remove", "--plate", "p.%04d.exr", "--out", "r.%04d.exr"], "--quadmask"),
        (["remove", "--request", "r.json", "--frames", "1-2", "--seed", "0"], "--frames, --seed"),
        ([*REMOVE, "--workers", "-1"], "--workers"),
        ([*REMOVE, "--context", "some"], "--context"),
        ([*REMOVE, "--void-passes", "3"], "--void-passes"),
        ([*REMOVE, "--void-guidance", "much"], "--void-guidance"),
        ([*REMOVE, "--void-flow", "farneback"], "--void-flow"),
        ([*REMOVE, "--output", "plate"], "--output"),
        ([*REMOVE, "--transfer", "pigeon"], "--transfer"),
        (["preview", "--plate", "p.%04d.exr", "--matte", "m.%04d.exr"], "--out"),
        (["preview", "--request", "r.json"], "--out"),
        (["preview", "--request", "r.json", "--out", "p.%04d.exr", "--frames", "1-2"], "--frames"),
        (["status"], "JOB"),
        (["cancel"], "JOB"),
        (["jobs", "--state", "lost"], "lost"),
        (["dance"], "dance"),
    ],
)
def test_wrong_usage_is_exit_code_2(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--frames", "1004-1001"], "runs backwards"),
        (["--frames", "x"], "1001-1024"),
        (["--frames", "1005-1012"], "lacks frames 1007-1012"),
        (["--out", "plate.%04d.exr"], "never overwritten"),
        (["--void-raster", "672x380"], "672x384"),
        (["--void-guidance", "0.5"], "1 to 30"),
        (["--void-steps", "1001"], "1 to 1000"),
        (["--out", "result.<UDIM>.exr"], "UDIM"),
        (["--out", "result.%04d.png"], ".exr"),
        (["--output", "comp", "--out", "result.%04d.png"], "end the pattern with .exr."),
        (["--also-output", "comp=result.%04d.png"], "end the pattern with .exr."),
        (["--plate", "nothing.%04d.exr"], "nothing.%04d.exr"),
        (["--also-output", "comp.%04d.exr"], "comp=comp.%04d.exr"),
        (["--also-output", "both=comp.%04d.exr"], "patch or comp"),
        (["--prompt", "refuse"], "The matte of sh010 is empty on frames 1001-1004."),
        (["--prompt", "crash"], "log.txt"),
        (["--prompt", "killed"], "the same command"),
        (["--server", "127.0.0.1:9"], "127.0.0.1:9"),
        (["--server", "ftp://box"], "ftp://box"),
    ],
)
@pytest.mark.parametrize("as_json", [False, True], ids=["plain", "json"])
def test_an_error_is_one_sentence_on_stderr_and_exit_code_1(
    arguments: list[str], said: str, as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*REMOVE, *arguments, *(["--json"] if as_json else [])]) == 1
    output, errors = capsys.readouterr()
    assert said in errors and len(errors.splitlines()) == 1
    if as_json:
        last = events_in(output)[-1]
        assert isinstance(last, Failed) and last.text == errors.strip()


def test_a_request_that_cannot_be_read_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["remove", "--request", "none.json"]) == 1
    assert "none.json" in capsys.readouterr().err


def test_a_broken_configuration_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"worker": 3}')
    assert cli.main(REMOVE) == 1
    assert "'worker'" in capsys.readouterr().err


@needs_signals
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_stops_at_a_checkpoint_and_says_that_the_same_command_resumes(number: int) -> None:
    with start(*REMOVE, "--prompt", "slow", "--json") as void:
        assert void.stdout is not None and void.stderr is not None
        while b"FrameReady" not in void.stdout.readline():
            pass
        void.send_signal(number)
        output, errors = rest_of(void)
    assert void.returncode == 130
    assert isinstance(events_in(output.decode())[-1], Stopped)
    assert b"Ctrl-C again" in errors and b"same command resumes" in errors
    assert b"Traceback" not in errors
    assert list(Path("out/.void").glob("*/checkpoint"))


@needs_signals
def test_ctrl_c_twice_stops_a_private_server_that_does_not_listen() -> None:
    with start(*REMOVE, "--prompt", "deaf", "--json") as void:
        assert void.stdout is not None
        while b"FrameReady" not in void.stdout.readline():
            pass
        began = time.monotonic()
        void.send_signal(signal.SIGINT)
        time.sleep(0.1)
        void.send_signal(signal.SIGINT)
        void.communicate(timeout=120)
    assert void.returncode == 130
    assert time.monotonic() - began < 8
    with pytest.raises(ProcessLookupError):
        os.kill(program()["pid"], 0)  # type: ignore[arg-type]


@needs_signals
def test_a_reader_that_leaves_ends_the_job_without_a_traceback() -> None:
    with start(*REMOVE, "--prompt", "slow", "--json") as void:
        assert void.stdout is not None and void.stderr is not None
        void.stdout.readline()
        void.stdout.close()
        assert void.stderr.read() == b""
        assert void.wait(30) == 1


@needs_signals
@pytest.mark.parametrize(("behaviour", "code"), [("well", 0), ("refuse", 1)])
def test_a_terminal_gets_a_bar_with_warnings_above_and_a_table_below(behaviour: str, code: int) -> None:
    import pty

    ours, theirs = pty.openpty()
    with start(
        *REMOVE,
        "--prompt",
        behaviour,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
    ) as void:
        os.close(theirs)
        shown = b""
        while select.select([ours], [], [], 30)[0]:
            try:
                piece = os.read(ours, 4096)
            except OSError:  # Linux's way of saying that the other end is closed
                break
            if not piece:
                break
            shown += piece
    os.close(ours)
    assert void.returncode == code
    assert b"\x1b[" in shown and shown.rindex(b"\x1b[?25h") > 0, "the cursor is shown again"
    if code == 0:
        assert shown.index(b"The matte is empty") < shown.rindex(b"6/6 frames")
        assert b"lowest coverage" in shown and b"extend the range" in shown
    else:
        assert shown.rstrip().endswith(b"The matte of sh010 is empty on frames 1001-1004.")


def test_help_is_quick_because_nothing_heavy_is_imported() -> None:
    script = "import sys, void_plugin.cli as cli; cli.build_parser(); print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", script], text=True).split()
    assert not {"rich", "fileseq", "subprocess", "numpy", "grpc", "google.protobuf", "void_plugin.client"} & set(loaded)


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("void 0.")


COMMANDS = ("remove", "preview", "demo", "jobs", "status", "cancel", "delete", "doctor", "engines", "nuke")
NUKE = (["nuke", "install"], ["nuke", "uninstall"])
OTIO = (["otio"], *(["otio", action] for action in ("shots", "submit", "conform", "check")))


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS), *NUKE, *OTIO])
def test_help_reads_without_leftovers_of_formatting(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main([*command, "--help"])
    assert "%%" not in capsys.readouterr().out


def test_the_demo_makes_removes_and_measures(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["demo", "--out", "demo", "--frames", "3", "--width", "480"]) == 0
    output = capsys.readouterr().out
    assert "frames: 3 (1001-1003)" in output
    assert "PSNR inside the hole: 51.2 dB" in output
    assert "coverage: 98.7%" in output
    assert "contact sheet: sheet.png" in output
    (path,) = Path("demo/.void").glob("*/request.json")
    request = RemovalRequest.load(str(path))
    assert [output.kind for output in request.outputs] == ["patch", "comp"]
    assert request.settings.recover_affected == "fill" and request.engine == "recover"


def test_the_doctor_says_what_runs_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor"]) == 0
    output = capsys.readouterr().out
    for said in ("Python: 3.", "void-server: 9.9", "engine recover: yes, on cpu", "OCIO: studio, 55 colour spaces"):
        assert said in output
    assert cli.main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ready"] is True and found["engines"][0]["name"] == "recover" and found["cores"] >= 1


def test_the_doctor_without_a_server_says_why_and_is_exit_code_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOID_SERVER_COMMAND", "no-such-void-server")
    assert cli.main(["doctor"]) == 1
    assert "no-such-void-server" in capsys.readouterr().out
    assert cli.main(["engines"]) == 1
    assert "no-such-void-server" in capsys.readouterr().err


def test_the_engines_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["engines"]) == 0
    assert capsys.readouterr().out == "engine recover: yes, on cpu\n"
    assert cli.main(["engines", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["available"] is True


# -- a configured server ------------------------------------------------------------------------------------------


def test_a_configured_server_gets_the_files_and_gives_the_results(
    server: FakeServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOID_SERVER", server.address)
    assert cli.main([*REMOVE, "--transfer", "upload"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "uploaded 0/12 files" in lines and "uploaded 12/12 files" in lines and "waiting, next in line" in lines
    assert len(list(Path("out").glob("*.exr"))) == 6
    assert not Path("started.jsonl").exists()
    assert cli.main([*REMOVE, "--server", ""]) == 0
    assert Path("started.jsonl").exists(), "an empty address means this machine alone"


def test_a_preview_is_a_job_of_its_own_kind(server: FakeServer, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["preview", "--plate", "plate.####.exr", "--matte", "matte.####.exr", "--frames", "1002-1003"]
    command += ["--server", server.address, "--transfer", "upload"]
    assert cli.main([*command, "--out", "look/preview.%04d.exr"]) == 0
    assert server.job().kind == "preview"
    assert sorted(path.name for path in Path("look").glob("*.exr")) == ["preview.1002.exr", "preview.1003.exr"]


def test_a_preview_may_be_png(server: FakeServer) -> None:
    command = ["preview", "--plate", "plate.####.exr", "--matte", "matte.####.exr", "--frames", "1002"]
    assert cli.main([*command, "--out", "look/preview.%04d.png"]) == 0
    assert [path.name for path in Path("look").glob("preview.*")] == ["preview.1002.png"]


def test_a_preview_of_a_saved_request_does_not_touch_its_results() -> None:
    assert cli.main(REMOVE) == 0
    (path,) = Path("out/.void").glob("*/request.json")
    before = {path: path.read_bytes() for path in Path("out").glob("*.exr")}
    assert cli.main(["preview", "--request", str(path), "--out", "look/preview.%04d.exr"]) == 0
    assert {path: path.read_bytes() for path in Path("out").glob("*.exr")} == before
    assert len(list(Path("look").glob("*.exr"))) == 6


@needs_signals
def test_ctrl_c_cancels_the_job_on_the_server_once(server: FakeServer) -> None:
    with start(*REMOVE, "--prompt", "slow", "--json", "--server", server.address, "--transfer", "upload") as void:
        assert void.stdout is not None and void.stderr is not None
        while b"FrameReady" not in void.stdout.readline():
            pass
        void.send_signal(signal.SIGINT)
        output, errors = rest_of(void)
    assert void.returncode == 130 and b"Traceback" not in errors
    assert isinstance(events_in(output.decode())[-1], Stopped)
    assert b"Telling the server" in errors and b"same command resumes" in errors
    assert server.calls["CancelJob"] == 1 and server.job().state == "cancelled"


@needs_signals
def test_a_client_that_is_killed_finds_its_job_again(server: FakeServer, capsys: pytest.CaptureFixture[str]) -> None:
    command = [*REMOVE, "--prompt", "slow", "--json", "--server", server.address, "--transfer", "upload"]
    with start(*command) as void:
        assert void.stdout is not None
        while b"FrameReady" not in void.stdout.readline():
            pass
        void.kill()
        void.communicate()
    assert cli.main(command) == 0
    events = events_in(capsys.readouterr().out)
    assert [event.frame for event in events if isinstance(event, FrameReady)] == list(range(1001, 1007))
    assert len(server.jobs) == 1 and len(server.uploads) == 12


# -- the queue ----------------------------------------------------------------------------------------------------


@pytest.fixture
def job_for(server: FakeServer) -> Callable[..., str]:
    """Makes a job with a prompt and returns its id, once it has ended or, for a slow one, begun."""

    def make(prompt: str = "well", frames: str = "1001-1002") -> str:
        from void_plugin.client import VoidClient

        request = replace(
            RemovalRequest(
                plate=ImageInput(os.path.abspath("plate.%04d.exr")),
                object_matte=ImageInput(os.path.abspath("matte.%04d.exr")),
                outputs=(Output("patch", os.path.abspath("out/result.%04d.exr")),),
                frames=FrameRange.parse(frames),
                prompt=prompt,
                shot="sh010",
            ).rooted()
        )
        server.roots = ("/",)
        with VoidClient.connect(Config(), os.environ, server.address) as client:
            job = client.submit(request)
            for event in client.watch(job.job_id):
                if prompt == "slow" and isinstance(event, FrameReady):
                    break
        return job.job_id

    return make


def test_the_jobs_are_listed_newest_first(job_for, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["jobs"]) == 0
    assert capsys.readouterr().out == "No jobs.\n"
    first, second = job_for(), job_for("refuse")
    assert cli.main(["jobs"]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [(row[0], row[1], row[2], row[4]) for row in rows] == [
        (second, "sh010", "1001-1002", "failed"),
        (first, "sh010", "1001-1002", "succeeded"),
    ]
    assert cli.main(["jobs", "--state", "failed", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["job_id"] == second
    assert cli.main(["jobs", "--limit", "1"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1
    assert cli.main(["jobs", "--all"]) == 1
    assert "supervisors" in capsys.readouterr().err


def test_the_status_of_a_job_is_told_in_names_and_values_or_json(job_for, capsys: pytest.CaptureFixture[str]) -> None:
    job = job_for()
    assert cli.main(["status", job]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"job: {job}" in lines and "state: succeeded" in lines and "shot: sh010" in lines
    assert cli.main(["status", job, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["state"] == "succeeded"
    assert cli.main(["status", "0" * 32]) == 1
    assert "0" * 32 in capsys.readouterr().err


@pytest.mark.parametrize(("prompt", "code"), [("well", 0), ("refuse", 1)])
def test_a_job_can_be_watched_to_its_end(job_for, capsys: pytest.CaptureFixture[str], prompt: str, code: int) -> None:
    job = job_for(prompt)
    assert cli.main(["status", job, "--watch"]) == code
    output, errors = capsys.readouterr()
    assert ("frames: 2 (1001-1002)" in output) is (code == 0) and ("matte of sh010" in errors) is (code == 1)
    assert cli.main(["status", job, "--watch", "--json"]) == code
    assert is_last(events_in(capsys.readouterr().out)[-1])


@needs_signals
def test_whoever_watches_a_job_cancels_nothing_by_leaving(job_for, server: FakeServer) -> None:
    job = job_for("slow", "1001-1200")
    with start("status", job, "--watch", "--json") as void:
        assert void.stdout is not None
        while b"FrameReady" not in void.stdout.readline():
            pass
        void.send_signal(signal.SIGINT)
        _, errors = rest_of(void)
    assert void.returncode == 130 and b"Traceback" not in errors
    assert not server.job().cancelled and not server.calls["CancelJob"]


def test_jobs_are_cancelled_and_deleted_by_id_and_one_that_fails_does_not_stop_the_others(
    job_for, server: FakeServer, capsys: pytest.CaptureFixture[str]
) -> None:
    slow, done = job_for("slow", "1001-1200"), job_for()
    assert cli.main(["delete", slow, done]) == 1
    output, errors = capsys.readouterr()
    assert output == f"{done}: deleted\n" and "cancel it first" in errors
    assert cli.main(["cancel", "0" * 32, slow]) == 1
    output, errors = capsys.readouterr()
    assert output == f"{slow}: stopping\n" and "0" * 32 in errors
    deadline = time.monotonic() + 30
    while server.jobs[slow].state != "cancelled" and time.monotonic() < deadline:
        time.sleep(0.02)
    assert cli.main(["cancel", slow, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {slow: "cancelled"}
    assert cli.main(["delete", slow]) == 0 and server.jobs == {}


def test_without_any_server_the_queue_commands_say_how_to_start_one(capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["jobs"], ["status", "j"], ["cancel", "j"], ["delete", "j"]):
        assert cli.main(command) == 1
        assert "void-server serve" in capsys.readouterr().err


def test_the_doctor_and_the_engines_ask_the_configured_server(
    server: FakeServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli.main(["engines", "--server", server.address]) == 0
    assert capsys.readouterr().out == "engine recover: yes, on cpu\nengine void: no: There is no GPU.\n"
    server.memory = "swap"
    assert cli.main(["engines", "--server", server.address]) == 0
    assert "engine recover: yes, on cpu, memory swap\n" in capsys.readouterr().out
    monkeypatch.setenv("VOID_SERVER", server.address)
    assert cli.main(["doctor"]) == 0
    output = capsys.readouterr().out
    for said in (f"server: {server.address}, version 9.9", "known there as: artist", "device cpu: idle", "ready: yes"):
        assert said in output
    assert cli.main(["doctor", "--json", "--server", "127.0.0.1:9"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["ready"] is False and "127.0.0.1:9" in found["remote_error"]
