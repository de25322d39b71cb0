"""`void nuke install` and `uninstall`: what they write, what they leave alone, and what they refuse."""

import builtins
import json
import os
import re
import stat
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from void_plugin import __version__, cli
from void_plugin.config import load_config
from void_plugin.errors import HostError, VoidError
from void_plugin.hostfolder import RECEIPT
from void_plugin.hosthalf import host_files
from void_plugin.markerblock import BEGIN, END, with_block, without_block
from void_plugin.nukeinstall import Installed, Uninstalled, install, nuke_folder, uninstall

ROOT = Path(__file__).parents[2]
PYTHON = "/opt/void/bin/python"
HALF = {name: path.read_bytes() for name, path in host_files("nuke").items()}

needs_modes = pytest.mark.skipif(os.name != "posix", reason="modes and links are those of POSIX")


@pytest.fixture
def nuke(tmp_path: Path) -> Path:
    """The Nuke folder of a home that has none yet."""
    (tmp_path / "home").mkdir()
    return tmp_path / "home" / ".nuke"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path / "home"), "VOID_CONFIG": str(tmp_path / "config.json")}


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, hidden ones too."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def plugin(folder: Path) -> dict[str, bytes]:
    """The files of the plug-in in a Nuke folder, without what it wrote down about itself."""
    found = tree(folder / "void_plugin")
    return {name: content for name, content in found.items() if name != RECEIPT}


def make_older(nuke: Path) -> None:
    """Turns what is installed into what an earlier version would have installed: a file more, others different."""
    receipt = nuke / "void_plugin" / RECEIPT
    about = json.loads(receipt.read_text())
    older = {**{name: content + b"# older\n" for name, content in plugin(nuke).items()}, "gone.py": b"# gone\n"}
    for name, content in older.items():
        (nuke / "void_plugin" / name).write_bytes(content)
    about.update(version="0.0.1", files={name: sha256(content).hexdigest() for name, content in older.items()})
    receipt.write_text(json.dumps(about))
    init = nuke / "init.py"
    init.write_bytes(init.read_bytes().replace(b"void_plugin_error", b"problem"))


# -- what is written -----------------------------------------------------------------------------------------------


def test_an_installation_is_a_folder_a_block_and_the_interpreter(nuke: Path, environment: dict[str, str]) -> None:
    done = install(nuke, PYTHON, environment)
    assert done.changed == ("folder", "configuration", "init.py") and done.replaced == "" and done.kept == ()
    assert plugin(nuke) == HALF and done.files == len(HALF)
    assert sorted(path.name for path in nuke.iterdir()) == ["init.py", "void_plugin"]
    assert load_config(environment).python == PYTHON
    text = (nuke / "init.py").read_text()
    assert text.count("pluginAddPath") == 1 and repr(str(nuke / "void_plugin")) in text


def test_installed_again_nothing_is_touched(nuke: Path, environment: dict[str, str]) -> None:
    install(nuke, PYTHON, environment)
    before = {path: path.stat().st_mtime_ns for path in nuke.rglob("*")}
    assert install(nuke, PYTHON, environment) == Installed(str(nuke / "void_plugin"), __version__, len(HALF), (), ())
    assert {path: path.stat().st_mtime_ns for path in nuke.rglob("*")} == before


def test_an_older_installation_is_replaced_with_nothing_of_it_left(nuke: Path, environment: dict[str, str]) -> None:
    install(nuke, PYTHON, environment)
    fresh = (nuke / "init.py").read_bytes()
    make_older(nuke)
    done = install(nuke, PYTHON, environment)
    assert (done.replaced, done.changed, done.kept) == ("0.0.1", ("folder", "init.py"), ())
    assert plugin(nuke) == HALF and (nuke / "init.py").read_bytes() == fresh
    assert sorted(path.name for path in nuke.iterdir()) == ["init.py", "void_plugin"]


def test_what_is_damaged_is_put_right(nuke: Path, environment: dict[str, str]) -> None:
    install(nuke, PYTHON, environment)
    (nuke / "void_plugin" / "menu.py").unlink()
    assert install(nuke, PYTHON, environment).changed == ("folder",)
    assert plugin(nuke) == HALF


def test_files_of_others_and_changes_by_hand_survive_a_new_version(nuke: Path, environment: dict[str, str]) -> None:
    install(nuke, PYTHON, environment)
    make_older(nuke)
    ours = nuke / "void_plugin"
    (ours / "menu.py").write_text("# with my own shortcut\n")
    (ours / "icons").mkdir()
    (ours / "icons" / "mine.png").write_bytes(b"png")
    done = install(nuke, PYTHON, environment)
    assert done.kept == ("icons/mine.png", "menu.py.changed")
    assert plugin(nuke) == {**HALF, "icons/mine.png": b"png", "menu.py.changed": b"# with my own shortcut\n"}
    assert install(nuke, PYTHON, environment).changed == ()


def test_the_configuration_keeps_what_else_it_holds(nuke: Path, environment: dict[str, str]) -> None:
    path = Path(environment["VOID_CONFIG"])
    path.write_text('{"workers": 3, "python": "/old", "ocio": "shöw.ocio"}', encoding="utf-8")
    assert "configuration" in install(nuke, PYTHON, environment).changed
    assert list(json.loads(path.read_text(encoding="utf-8")).items()) == [
        ("workers", 3), ("python", PYTHON), ("ocio", "shöw.ocio"),
    ]  # fmt: skip
    assert "shöw" in path.read_text(encoding="utf-8"), "people read this file"
    before = path.read_bytes()
    install(nuke, PYTHON, environment)
    assert path.read_bytes() == before


# -- the user's init.py --------------------------------------------------------------------------------------------

INITS = {
    "empty": b"",
    "usual": b"import nuke\nnuke.pluginAddPath('./gizmos')\n",
    "no final newline": b"import nuke\nnuke.pluginAddPath('./gizmos')",
    "Windows": b"import nuke\r\n\r\nx = 1\r\n",
    "Windows without a final newline": b"import nuke\r\nx = 1",
    "old Macintosh": b"import nuke\rx = 1\r",
    "byte order mark": b"\xef\xbb\xbfimport nuke\n",
    "words": "# Größe, 日本語\nname = 'é'\n".encode(),
    "blanks": b"import nuke   \n\t\n\n\n",
}


@pytest.mark.parametrize("content", INITS.values(), ids=INITS)
def test_the_users_lines_keep_their_bytes_and_come_back(
    content: bytes, nuke: Path, environment: dict[str, str]
) -> None:
    nuke.mkdir()
    init = nuke / "init.py"
    init.write_bytes(content)
    install(nuke, PYTHON, environment)
    written = init.read_bytes()
    assert written.startswith(content) and written.count(BEGIN) == written.count(END) == 1
    ending = re.search(rb"\r\n|\n|\r", content)
    block = written[len(content) :]
    assert set(re.findall(rb"\r\n|\n|\r", block)) == {ending.group() if ending else b"\n"}
    compile(written, "init.py", "exec")
    make_older(nuke)
    install(nuke, PYTHON, environment)
    assert init.read_bytes() == written
    assert uninstall(nuke).init == "cleared"
    assert init.read_bytes() == content
    assert sorted(path.name for path in nuke.iterdir()) == ["init.py"]


def test_an_older_block_is_replaced_where_it_stands(nuke: Path, environment: dict[str, str]) -> None:
    install(nuke, PYTHON, environment)
    init = nuke / "init.py"
    block = init.read_bytes()
    init.write_bytes(b"before = 1\n" + block.replace(b"import nuke\n", b"import nuke, os\n") + b"after = 1\n")
    assert install(nuke, PYTHON, environment).changed == ("init.py",)
    assert init.read_bytes() == b"before = 1\n" + block + b"after = 1\n"
    assert uninstall(nuke).init == "cleared", "somebody has written into it since we made it"
    assert init.read_bytes() == b"before = 1\nafter = 1\n"


LINES = st.lists(
    st.tuples(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), max_size=8).filter(
            lambda text: not text.startswith(("# >>> void_plugin >>>", "# <<< void_plugin <<<"))
        ),
        st.sampled_from(["\n", "\r\n", "\r"]),
    ),
    max_size=6,
)


@given(LINES, st.text("abc", max_size=3), LINES)
def test_a_block_never_costs_a_byte_of_the_rest(
    lines: list[tuple[str, str]], end: str, later: list[tuple[str, str]]
) -> None:
    content = ("".join(text + ending for text, ending in lines) + end).encode()
    written = with_block(content, ["a = 1"], "init.py")
    assert written.startswith(content)
    assert with_block(written, ["a = 1"], "init.py") == written
    assert with_block(with_block(written, ["b", "c"], "init.py"), ["a = 1"], "init.py") == written
    assert without_block(written, "init.py") == content
    appended = "".join(text + ending for text, ending in later).encode()
    if written.endswith((b"\n", b"\r")) and not (written.endswith(b"\r") and appended.startswith(b"\n")):
        assert without_block(written + appended, "init.py") == content + appended


@pytest.mark.parametrize("content", [b"name = '\xe9'\n", "import nuke\n".encode("utf-16"), b"import nuke\n\0\n"])
def test_an_init_that_is_not_utf_8_is_refused_with_nothing_done(
    content: bytes, nuke: Path, environment: dict[str, str]
) -> None:
    nuke.mkdir()
    (nuke / "init.py").write_bytes(content)
    with pytest.raises(HostError, match=r"init\.py is not UTF-8 text"):
        install(nuke, PYTHON, environment)
    assert tree(nuke) == {"init.py": content} and not Path(environment["VOID_CONFIG"]).exists()


@pytest.mark.parametrize(
    "content", [BEGIN + b"\nx = 1\n", b"x = 1\n" + END + b"\n", END + b"\n" + BEGIN + b"\n", (BEGIN + b"\n" + END) * 2]
)
def test_half_a_block_is_refused_with_nothing_done(content: bytes, nuke: Path, environment: dict[str, str]) -> None:
    nuke.mkdir()
    (nuke / "init.py").write_bytes(content)
    for action in (lambda: install(nuke, PYTHON, environment), lambda: uninstall(nuke)):
        with pytest.raises(HostError, match="one whole block"):
            action()
    assert tree(nuke) == {"init.py": content}


@needs_modes
def test_a_read_only_init_is_refused_with_nothing_done(nuke: Path, environment: dict[str, str]) -> None:
    nuke.mkdir()
    (nuke / "init.py").write_text("mine = 1\n")
    (nuke / "init.py").chmod(0o444)
    with pytest.raises(HostError, match=r"init\.py is read-only"):
        install(nuke, PYTHON, environment)
    assert tree(nuke) == {"init.py": b"mine = 1\n"}


@needs_modes
def test_rights_stay_and_a_link_stays_a_link(nuke: Path, environment: dict[str, str], tmp_path: Path) -> None:
    nuke.mkdir()
    dotfiles = tmp_path / "dotfiles" / "nuke_init.py"
    dotfiles.parent.mkdir()
    dotfiles.write_text("mine = 1\n")
    dotfiles.chmod(0o640)
    (nuke / "init.py").symlink_to("../../dotfiles/nuke_init.py")
    install(nuke, PYTHON, environment)
    assert (nuke / "init.py").is_symlink() and dotfiles.read_bytes().startswith(b"mine = 1\n# >>> void_plugin")
    assert stat.S_IMODE(dotfiles.stat().st_mode) == 0o640
    assert [path.name for path in dotfiles.parent.iterdir()] == ["nuke_init.py"]
    uninstall(nuke)
    assert (nuke / "init.py").is_symlink() and dotfiles.read_text() == "mine = 1\n"
    assert stat.S_IMODE(dotfiles.stat().st_mode) == 0o640


@needs_modes
def test_a_link_that_leads_nowhere_yet_leads_there_and_nowhere_again(
    nuke: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    nuke.mkdir()
    (nuke / "init.py").symlink_to(tmp_path / "later.py")
    install(nuke, PYTHON, environment)
    assert (tmp_path / "later.py").read_bytes().startswith(BEGIN)
    assert uninstall(nuke).init == "removed"
    assert (nuke / "init.py").is_symlink() and not (tmp_path / "later.py").exists()


@pytest.mark.parametrize(
    "name", ["my nuke", "größe 日本", 'it\'s "quoted"', "back\\slash" if os.name == "posix" else "x"]
)
def test_the_block_is_plain_ascii_whatever_the_folder_is_called(
    name: str, environment: dict[str, str], tmp_path: Path
) -> None:
    install(tmp_path / name, PYTHON, environment)
    text = (tmp_path / name / "init.py").read_text(encoding="ascii")
    added: list[str] = []
    fake = type(sys)("nuke")
    fake.pluginAddPath = added.append  # type: ignore[attr-defined]
    builtin = {**vars(builtins), "__import__": lambda *_: fake}
    exec(compile(text, "init.py", "exec"), {"__builtins__": builtin})
    assert added == [str(tmp_path / name / "void_plugin")]


# -- taking it out -------------------------------------------------------------------------------------------------


def test_what_was_installed_is_taken_out_without_a_trace(nuke: Path, environment: dict[str, str]) -> None:
    install(nuke, PYTHON, environment)
    done = uninstall(nuke)
    assert (done.was_there, done.kept, done.init) == (True, (), "removed")
    assert list(nuke.iterdir()) == []
    assert uninstall(nuke).was_there is False
    assert load_config(environment).python == PYTHON, "Resolve reads it too"


def test_what_python_made_of_our_modules_goes_with_them(nuke: Path, environment: dict[str, str]) -> None:
    install(nuke, PYTHON, environment)
    hosts = nuke / "void_plugin" / "void_plugin" / "hosts"
    (hosts / "__pycache__").mkdir()
    for name in ("story.cpython-37.pyc", "story.cpython-311.opt-1.pyc"):
        (hosts / "__pycache__" / name).write_bytes(b"")
    assert uninstall(nuke).kept == () and list(nuke.iterdir()) == []


def test_files_of_others_and_changed_ones_are_left_and_named(nuke: Path, environment: dict[str, str]) -> None:
    install(nuke, PYTHON, environment)
    ours = nuke / "void_plugin"
    (ours / "menu.py").write_text("mine\n")
    (ours / "void_plugin" / "notes.txt").write_text("mine\n")
    (ours / "void_plugin" / "__pycache__").mkdir()
    (ours / "void_plugin" / "__pycache__" / "other.cpython-311.pyc").write_bytes(b"")
    kept = ("menu.py", "void_plugin/__pycache__/other.cpython-311.pyc", "void_plugin/notes.txt")
    assert sorted(uninstall(nuke).kept) == list(kept)
    assert sorted(tree(nuke)) == [f"void_plugin/{name}" for name in kept]


def test_an_empty_init_of_the_users_is_left_empty(nuke: Path, environment: dict[str, str]) -> None:
    nuke.mkdir()
    (nuke / "init.py").touch()
    install(nuke, PYTHON, environment)
    install(nuke, PYTHON, environment)
    assert uninstall(nuke).init == "cleared" and tree(nuke) == {"init.py": b""}


def test_a_folder_that_somebody_else_made_is_never_touched(nuke: Path, environment: dict[str, str]) -> None:
    (nuke / "void_plugin").mkdir(parents=True)
    (nuke / "void_plugin" / "init.py").write_text("theirs\n")
    with pytest.raises(HostError, match="was not made by void nuke install"):
        install(nuke, PYTHON, environment)
    assert uninstall(nuke) == Uninstalled(False, (".",), "untouched")
    assert tree(nuke) == {"void_plugin/init.py": b"theirs\n"}


@needs_modes
def test_a_link_in_the_place_of_our_folder_is_never_followed(
    nuke: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    other = tmp_path / "other" / ".nuke"
    other.parent.mkdir()
    install(other, PYTHON, environment)
    before = tree(other)
    nuke.mkdir()
    (nuke / "void_plugin").symlink_to(other / "void_plugin")
    with pytest.raises(HostError, match="was not made by void nuke install"):
        install(nuke, PYTHON, environment)
    assert uninstall(nuke).kept == (".",)
    assert tree(other) == before and (nuke / "void_plugin").is_symlink()


def test_the_folder_of_a_newer_version_is_refused(nuke: Path, environment: dict[str, str]) -> None:
    install(nuke, PYTHON, environment)
    receipt = nuke / "void_plugin" / RECEIPT
    receipt.write_text(json.dumps({**json.loads(receipt.read_text()), "schema": 2, "version": "9.0"}))
    with pytest.raises(HostError, match=r"void_plugin 9\.0, which is newer"):
        install(nuke, PYTHON, environment)


@pytest.mark.parametrize("receipt", ["", "[]", "{", '{"schema": 1}', '{"schema": 1, "files": [], "created": []}'])
def test_a_damaged_receipt_is_no_licence_to_delete(receipt: str, nuke: Path, environment: dict[str, str]) -> None:
    install(nuke, PYTHON, environment)
    (nuke / "void_plugin" / RECEIPT).write_text(receipt)
    before = tree(nuke / "void_plugin")
    with pytest.raises(HostError, match="was not made by void nuke install"):
        install(nuke, PYTHON, environment)
    assert uninstall(nuke) == Uninstalled(True, (".",), "cleared")
    assert tree(nuke) == {"init.py": b"", **{f"void_plugin/{name}": content for name, content in before.items()}}


# -- where things go wrong -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("config", ["{", '{"pyhton": "x"}', "[]"])
def test_a_configuration_that_cannot_be_used_stops_it_before_anything_is_done(
    config: str, nuke: Path, environment: dict[str, str]
) -> None:
    Path(environment["VOID_CONFIG"]).write_text(config)
    with pytest.raises(VoidError, match=r"config\.json"):
        install(nuke, PYTHON, environment)
    assert tree(nuke) == {} and Path(environment["VOID_CONFIG"]).read_text() == config


def test_a_nuke_folder_whose_parent_is_missing_is_taken_for_a_typing_error(
    environment: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(HostError, match="There is no folder"):
        install(tmp_path / "hoem" / ".nuke", PYTHON, environment)


def test_a_file_where_a_folder_should_be_is_told(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / ".nuke").write_text("")
    with pytest.raises(HostError, match=r"\.nuke cannot be changed as asked"):
        install(tmp_path / ".nuke", PYTHON, environment)


KILLER = """
import os, re, shutil, sys
from pathlib import Path
from void_plugin.nukeinstall import install, uninstall

# Runs an action in one child after the other and ends it at its 1st, 2nd, 3rd ... change of a disk, each time on a
# fresh copy of the same folder: by death, or by an error of the disk. Tells what the children left.
folder, action, how = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
# Of the many files that are copied or deleted alike, a few stand for all.
ALIKE = re.compile(r"/[.]?void_plugin.*/(?!menu[.]py|request[.]py)[a-z_]+[.]py$|README[.]md$")
CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod"}
if how == "death":  # an error in here would leave rmtree, which no real one does
    CHANGES.add("shutil.rmtree")
number = 0
while True:
    number += 1
    child = os.fork()
    if child == 0:
        left = number
        def watch(event, arguments):
            global left
            writes = event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR)
            if (event in CHANGES or writes) and "run" in str(arguments[0]) and not ALIKE.search(str(arguments[0])):
                left -= 1
                if left == 0:
                    if how == "death":
                        os._exit(9)
                    raise OSError(28, "No space left on device", str(arguments[0]))
        run = folder / f"run{number}"
        shutil.copytree(folder / "start", run)
        environment = {"HOME": str(run), "VOID_CONFIG": str(run / "config.json")}
        try:
            sys.addaudithook(watch)
            install(run / ".nuke", "/opt/new", environment) if action == "install" else uninstall(run / ".nuke")
        except Exception as error:
            os.write(2, f"{number} {type(error).__name__}: {error}\\n".encode())
            os._exit(1)
        os._exit(0 if left > 0 else 2)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status == 0:
        break
print(number)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("how", ["death", "full disk"])
@pytest.mark.parametrize("action", ["install", "uninstall"])
def test_ended_at_any_moment_all_is_old_or_new_and_the_next_run_puts_it_right(
    action: str, how: str, tmp_path: Path
) -> None:
    def made(name: str) -> Path:
        run = tmp_path / name
        (run / ".nuke").mkdir(parents=True)
        (run / "config.json").write_text('{"workers": 2}')
        (run / ".nuke" / "init.py").write_text("mine = 1\n")
        return run

    def environment(run: Path) -> dict[str, str]:
        return {"HOME": str(run), "VOID_CONFIG": str(run / "config.json")}

    start = made("start")
    install(start / ".nuke", "/opt/old", environment(start))
    if action == "install":
        make_older(start / ".nuke")
    (start / ".nuke" / "void_plugin" / "mine.txt").write_text("mine")
    old = {name: content for name, content in tree(start).items()}
    done = subprocess.run(
        [sys.executable, "-c", KILLER, str(tmp_path), action, "death" if how == "death" else "full"],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    last = int(done.stdout)
    assert last >= 10
    seen = set()
    for number in range(1, last):
        run = tmp_path / f"run{number}"
        nuke = run / ".nuke"
        now = tree(run)
        # The user's own are whole at every moment.
        assert now["config.json"] in (old["config.json"], b'{\n  "workers": 2,\n  "python": "/opt/new"\n}\n')
        init = now[".nuke/init.py"]
        assert init.startswith(b"mine = 1\n") and init.count(BEGIN) == init.count(END)
        seen.add((now.get(".nuke/void_plugin/menu.py"), now["config.json"], init))
        # What Nuke is pointed at is one version, never a mixture; or is not there, which the block bears.
        if action == "install" and (nuke / "void_plugin").exists():
            there = plugin(nuke)
            assert there.pop("mine.txt") == b"mine"
            before = {name.partition("/void_plugin/")[2] or name: content for name, content in old.items()}
            assert there == HALF or all(before[name] == content for name, content in there.items())
            assert len(there) in (len(HALF), len(HALF) + 1)
        if action == "uninstall" and BEGIN in init:
            assert set(now) >= set(old), "nothing goes before what switches it on"
        # And the same command again ends as if nothing had happened.
        if action == "install":
            install(nuke, "/opt/new", environment(run))
            assert {name: content for name, content in plugin(nuke).items() if name != "mine.txt"} == HALF
            assert load_config(environment(run)).python == "/opt/new"
            left = ["init.py", "void_plugin"]
        else:
            uninstall(nuke)
            assert (nuke / "init.py").read_text() == "mine = 1\n"
            left = ["init.py", "void_plugin"]
            assert os.listdir(nuke / "void_plugin") == ["mine.txt"]
        assert sorted(path.name for path in nuke.iterdir()) == left
        assert (nuke / "void_plugin" / "mine.txt").read_text() == "mine"
    assert len(seen) >= 3, "not every step was reached"
    if how != "death":
        told = done.stderr.splitlines()
        assert told and all(" HostError: " in line and "No space left on device" in line for line in told)


# -- the command ---------------------------------------------------------------------------------------------------


@pytest.fixture
def python(void_python: str) -> str:
    """A Python in which this checkout is installed, as a person has it."""
    return void_python


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of a user who has nothing configured."""
    home = tmp_path / "home"
    home.mkdir()
    for name in [name for name in os.environ if name.startswith("VOID_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "state"))
    return home


def test_the_command_says_in_few_lines_what_it_did(
    machine: Path, python: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli.main(["nuke", "install", "--python", python]) == 0
    lines = capsys.readouterr().out.splitlines()
    files = f"{machine / '.nuke' / 'void_plugin'} (void_plugin {__version__}, {len(HALF)} files, "
    config = machine / "config" / "void_plugin" / "config.json"
    assert lines[:3] == [
        f"plug-in: {files}new)",
        f"start-up: {machine / '.nuke' / 'init.py'} (our block written)",
        f"Python: {python} (written to {config})",
    ]
    assert re.fullmatch(r"self-test: the sidecar answered after \d+\.\d s", lines[3]) and len(lines) == 5
    monkeypatch.setenv("VOID_PLUGIN_PYTHON", "/other/python")
    (machine / ".nuke" / "void_plugin" / "mine.txt").touch()
    assert cli.main(["nuke", "install", "--python", python]) == 0
    output = capsys.readouterr().out
    assert f"plug-in: {files}as it was)" in output and f"(as it was in {config})" in output
    assert "note: $VOID_PLUGIN_PYTHON is set to /other/python, and wins" in output
    assert cli.main(["nuke", "uninstall"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"plug-in: {machine / '.nuke' / 'void_plugin'} (what is ours removed)",
        f"start-up: {machine / '.nuke' / 'init.py'} (removed, since it held nothing else)",
        f"kept: {machine / '.nuke' / 'void_plugin' / 'mine.txt'}, which is not ours or was changed",
        f"kept: {config}, which other hosts read too",
    ]
    assert cli.main(["nuke", "uninstall", "--nuke-dir", str(machine / "no")]) == 0
    assert capsys.readouterr().out == f"There was no void_plugin in {machine / 'no'}.\n"


def test_json_says_the_same_for_programs(machine: Path, python: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["nuke", "install", "--json", "--python", python, "--nuke-dir", str(machine / "my nuke")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told.pop("seconds_to_answer") > 0
    assert told == {
        "nuke_dir": str(machine / "my nuke"), "folder": str(machine / "my nuke" / "void_plugin"),
        "version": __version__, "replaced": "", "files": len(HALF), "kept": [], "python": python,
        "changed": ["folder", "configuration", "init.py"],
        "config": str(machine / "config" / "void_plugin" / "config.json"),
    }  # fmt: skip


@pytest.mark.skipif(os.name != "posix", reason="the stand-ins for Pythons are shell scripts")
@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("echo Traceback >&2; echo 'No module named void_plugin' >&2; exit 1", "cannot load void_plugin .No module"),
        ("echo 0.0.1; exit 0", "has void_plugin 0.0.1, this is"),
        (f"echo {__version__}; echo 'No module named grpc' >&2; exit 1", "not all that it needs .No module named grpc"),
        (f"case $5 in void_plugin.sidecar) exit 3;; esac; echo {__version__}", "ended with exit code 3 before"),
        ("exit 1", "it says nothing"),
    ],
)
def test_a_python_that_will_not_do_is_refused_before_anything_is_written(
    program: str, said: str, machine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "python"
    other.write_text(f"#!/bin/sh\n{program}\n")
    other.chmod(0o755)
    assert cli.main(["nuke", "install", "--python", str(other)]) == 1
    output, errors = capsys.readouterr()
    assert re.search(said, errors) and output == "" and errors.count("\n") == 1
    assert not (machine / ".nuke").exists() and not (machine / "config").exists()


def test_a_python_that_is_none_is_refused(machine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["nuke", "install", "--python", str(tmp_path / "no")]) == 1
    assert "There is no program" in capsys.readouterr().err
    broken = tmp_path / "broken"
    broken.write_bytes(b"\x7fELF nothing")
    broken.chmod(0o755)
    assert cli.main(["nuke", "install", "--python", str(broken)]) == 1
    assert "cannot be started" in capsys.readouterr().err


def test_a_python_may_be_named_as_on_the_command_line(
    machine: Path, python: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(python).parent), os.environ["PATH"]]))
    assert cli.main(["nuke", "install", "--json", "--python", Path(python).name]) == 0
    assert json.loads(capsys.readouterr().out)["python"] == python, "the link of the venv is not followed"


def test_the_nuke_folder_is_where_nuke_looks_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert nuke_folder(None, {"HOME": "/homes/wilma"}) == Path("/homes/wilma/.nuke")
    assert nuke_folder(None, {}) == Path(os.path.expanduser("~")) / ".nuke"
    assert nuke_folder("~/my nuke", {}) == Path(os.path.expanduser("~")) / "my nuke"
    monkeypatch.chdir(tmp_path)
    assert nuke_folder("here", {}) == tmp_path / "here"


# -- the doctor ----------------------------------------------------------------------------------------------------


def test_the_doctor_says_whether_hosts_have_a_python_that_works(
    machine: Path, python: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from void_plugin.doctor import examine

    monkeypatch.setenv("VOID_SERVER_COMMAND", "no-such-server")

    def said() -> tuple[str, str]:
        found = examine(load_config(os.environ), os.environ)
        return found["host_python"], found["host_python_error"]

    assert said()[0] == "" and "void nuke install" in said()[1]
    monkeypatch.setenv("VOID_PLUGIN_PYTHON", str(tmp_path / "no"))
    assert said()[0] == str(tmp_path / "no") and "cannot be started" in said()[1]
    monkeypatch.setenv("VOID_PLUGIN_PYTHON", python)
    assert said() == (python, "")
