"""What lies below a folder and what only seems to: links, `..`, and everything put in the way after the look."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from void_plugin.errors import RequestError
from void_server.beneath import LONGEST_SHOWN, Roots, folder_of, held, network_filesystem, open_file_in, shown, told


@pytest.fixture
def show(tmp_path: Path) -> Path:
    """An allowed folder with a file, beside a folder that is not allowed."""
    (tmp_path / "show" / "plates").mkdir(parents=True)
    (tmp_path / "show" / "plates" / "a.exr").write_text("plate")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "a.exr").write_text("secret")
    return tmp_path / "show"


def content(roots: Roots, path: Path | str) -> str:
    with os.fdopen(roots.open_file(str(path))) as stream:
        return stream.read()


def refused(roots: Roots, path: Path | str) -> str:
    """The sentence that all three ways of opening give."""
    sentences = set()
    for way in (roots.check, roots.open_file, roots.open_folder):
        with pytest.raises(RequestError) as caught:
            way(str(path))
        assert caught.value.code == "request.path"
        sentences.add(caught.value.message)
    return sentences.pop()


# -- what may be opened ---------------------------------------------------------------------------------------


def test_a_file_below_a_root_is_opened(show: Path) -> None:
    assert content(Roots([str(show)]), show / "plates" / "a.exr") == "plate"


def test_a_link_may_lead_anywhere_inside(show: Path) -> None:
    (show / "absolute").symlink_to(show / "plates")
    (show / "relative.exr").symlink_to("absolute/../plates/a.exr")
    roots = Roots([str(show)])
    assert content(roots, show / "absolute" / "a.exr") == content(roots, show / "relative.exr") == "plate"


def test_a_link_outside_may_lead_in(show: Path, tmp_path: Path) -> None:
    (tmp_path / "in").symlink_to(show)
    assert content(Roots([str(show)]), tmp_path / "in" / "plates" / "a.exr") == "plate"


def test_the_root_folder_allows_everything(show: Path) -> None:
    assert content(Roots(["/"]), show / "plates" / "a.exr") == "plate"
    assert Roots(["/"]).check("/") == "/"


def test_two_roots_allow_both(show: Path, tmp_path: Path) -> None:
    roots = Roots([str(tmp_path / "other"), str(show)])
    assert roots.check(str(show)) == str(show) and content(roots, show / "plates" / "a.exr") == "plate"


def test_missing_folders_are_made_below_the_root_only(show: Path, tmp_path: Path) -> None:
    roots = Roots([str(show)])
    os.close(roots.open_folder(str(show / "new" / "er"), create=True))
    assert (show / "new" / "er").is_dir()
    with pytest.raises(RequestError):
        roots.open_folder(str(show / ".." / "secret" / "new"), create=True)
    assert not (tmp_path / "secret" / "new").exists()
    with pytest.raises(FileNotFoundError):
        roots.open_folder(str(show / "none"))


def test_a_folder_that_was_opened_can_be_listed_and_written_into(show: Path) -> None:
    folder = Roots([str(show)]).open_folder(str(show / "plates"))
    os.rename("a.exr", "b.exr", src_dir_fd=folder, dst_dir_fd=folder)
    assert os.listdir(folder) == ["b.exr"]
    os.close(folder)


def test_a_new_file_is_made_with_the_permissions_asked_for(show: Path) -> None:
    os.close(Roots([str(show)]).open_file(str(show / "new"), os.O_WRONLY | os.O_CREAT, 0o600))
    assert (show / "new").stat().st_mode & 0o777 == 0o600


def test_what_the_system_says_of_a_file_inside_comes_through(show: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Roots([str(show)]).open_file(str(show / "plates" / "none.exr"))
    with pytest.raises(FileExistsError):
        Roots([str(show)]).open_file(str(show / "plates" / "a.exr"), os.O_WRONLY | os.O_CREAT | os.O_EXCL)


# -- what may not ---------------------------------------------------------------------------------------------


def test_a_path_outside_is_refused_with_the_folders_that_are_allowed(show: Path) -> None:
    sentence = refused(Roots([str(show)]), "/etc/passwd")
    assert sentence.startswith(f"/etc/passwd is outside the folders this server may use ({show})")
    assert "--allow-root" in sentence and "upload" in sentence


def test_a_folder_whose_name_begins_like_a_root_is_outside(show: Path) -> None:
    (show.parent / "show2").mkdir()
    refused(Roots([str(show)]), show.parent / "show2")


@pytest.mark.parametrize("path", ["../secret/a.exr", "plates/../../secret/a.exr", "none/../../secret/a.exr"])
def test_dots_do_not_lead_out(show: Path, path: str) -> None:
    refused(Roots([str(show)]), f"{show}/{path}")


def test_dots_behind_a_link_count_from_where_it_leads(show: Path) -> None:
    (show / "deep").mkdir()
    (show / "link").symlink_to(show / "deep")
    (show.parent / "secret" / "in").symlink_to(show / "deep")
    # As text this is show/secret; the system goes to where the link leads, and from there up.
    assert Roots([str(show)]).check(f"{show}/link/../plates/a.exr") == f"{show}/plates/a.exr"
    refused(Roots([str(show)]), f"{show}/link/../../secret/a.exr")


@pytest.mark.parametrize("target", ["../secret", "{outside}"])
def test_a_link_that_leads_out_is_refused(show: Path, tmp_path: Path, target: str) -> None:
    (show / "link").symlink_to(target.format(outside=tmp_path / "secret"))
    refused(Roots([str(show)]), show / "link" / "a.exr")
    refused(Roots([str(show)]), show / "link")


def test_a_link_whose_end_does_not_exist_yet_is_refused_when_it_leads_out(show: Path, tmp_path: Path) -> None:
    (show / "new.exr").symlink_to(tmp_path / "secret" / "new.exr")
    with pytest.raises(RequestError):
        Roots([str(show)]).open_file(str(show / "new.exr"), os.O_WRONLY | os.O_CREAT)
    assert not (tmp_path / "secret" / "new.exr").exists()


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("{show}/a\0b.exr", "no path of a file"),
        ("{show}/" + "\ud800", "no path of a file"),
        ("plates/a.exr", "no absolute path"),
        ("", "no absolute path"),
        ("{show}/" + "x" * 300, "too long"),
        ("{show}" + "/x" * 4000, "too long"),
    ],
)
def test_what_is_no_path_at_all_is_refused_with_the_reason(show: Path, path: str, word: str) -> None:
    roots = Roots([str(show)])
    with pytest.raises(RequestError, match=word) as caught:
        roots.open_file(path.format(show=show))
    assert caught.value.code == "request.path"
    with pytest.raises(RequestError):
        roots.open_folder(path.format(show=show), create=True)


def test_links_in_a_circle_are_refused(show: Path) -> None:
    (show / "one").symlink_to(show / "two")
    (show / "two").symlink_to(show / "one")
    for way in (Roots([str(show)]).open_file, Roots([str(show)]).open_folder):
        with pytest.raises(RequestError, match=r"circle|exchanged"):
            way(str(show / "one" / "a.exr"))


def test_a_queue_a_socket_and_a_folder_are_no_files_and_keep_nobody_waiting(
    show: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(show / "queue")
    monkeypatch.chdir(show)  # the address of a socket is short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
    for name in ("queue", "socket", "plates"):
        for flags in (os.O_RDONLY, os.O_WRONLY):
            with pytest.raises(RequestError, match=r"no regular file|is a folder"):
                Roots([str(show)]).open_file(str(show / name), flags)


@given(st.lists(st.sampled_from(["..", ".", "plates", "out", "in", "secret", "show", "a.exr", "none", ""]), max_size=8))
def test_no_way_of_writing_a_path_reaches_a_file_outside(
    tmp_path_factory: pytest.TempPathFactory, words: list[str]
) -> None:
    base = tmp_path_factory.getbasetemp() / "ways"
    show = base / "show"
    if not base.exists():
        (show / "plates").mkdir(parents=True)
        (base / "secret").mkdir()
        (show / "plates" / "a.exr").write_text("plate")
        (base / "secret" / "a.exr").write_text("secret")
        (show / "out").symlink_to("../secret")
        (show / "in").symlink_to(show / "plates")
    path = "/".join([str(show), *words])
    try:
        found = content(Roots([str(show)]), path)
    except (RequestError, FileNotFoundError):
        return
    assert found == "plate" and os.path.realpath(path).startswith(f"{show}/")


# -- what is put in the way between the look and the opening --------------------------------------------------


@contextmanager
def right_after_the_look(do: Callable[[], object]) -> Iterator[None]:
    """Something happens once, between finding out where a path leads and opening it."""
    waiting = [do]
    real = os.path.realpath

    def look(path: str) -> str:
        found = real(path)
        if waiting:
            waiting.pop()()
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os.path, "realpath", look)
        yield
    assert not waiting


@pytest.mark.parametrize(
    "attempt",
    [
        lambda roots, folder: roots.open_file(f"{folder}/a.exr"),
        lambda roots, folder: roots.open_file(f"{folder}/new.exr", os.O_WRONLY | os.O_CREAT),
        lambda roots, folder: roots.open_folder(f"{folder}"),
        lambda roots, folder: roots.open_folder(f"{folder}/new", create=True),
    ],
)
def test_a_folder_exchanged_for_a_link_after_the_look_is_not_followed(
    show: Path, tmp_path: Path, attempt: Callable[[Roots, Path], int]
) -> None:
    def exchange() -> None:
        (show / "plates").rename(show / "gone")
        (show / "plates").symlink_to(tmp_path / "secret")

    roots = Roots([str(show)])
    with right_after_the_look(exchange), pytest.raises(RequestError, match="meanwhile"):
        attempt(roots, show / "plates")
    assert os.listdir(tmp_path / "secret") == ["a.exr"]


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY | os.O_CREAT, os.O_WRONLY | os.O_TRUNC])
def test_a_file_exchanged_for_a_link_after_the_look_is_not_followed(show: Path, tmp_path: Path, flags: int) -> None:
    file = show / "plates" / "a.exr"

    def exchange() -> None:
        file.unlink()
        file.symlink_to(tmp_path / "secret" / "a.exr")

    roots = Roots([str(show)])
    with right_after_the_look(exchange), pytest.raises(RequestError, match="meanwhile"):
        roots.open_file(str(file), flags)
    assert (tmp_path / "secret" / "a.exr").read_text() == "secret"


def test_a_root_exchanged_for_a_link_after_the_look_is_not_followed(show: Path, tmp_path: Path) -> None:
    def exchange() -> None:
        show.rename(tmp_path / "moved")
        show.symlink_to(tmp_path / "secret")

    roots = Roots([str(show)])
    with right_after_the_look(exchange), pytest.raises(RequestError, match="meanwhile"):
        roots.open_file(str(show / "a.exr"))


def test_somebody_who_keeps_exchanging_a_folder_never_gets_at_what_is_outside(show: Path, tmp_path: Path) -> None:
    (show / "link").symlink_to(tmp_path / "secret")
    done = threading.Event()

    def exchange() -> None:
        while not done.is_set():
            for old, new in (("plates", "hidden"), ("link", "plates"), ("plates", "link"), ("hidden", "plates")):
                (show / old).rename(show / new)

    roots, found = Roots([str(show)]), set()
    thread = threading.Thread(target=exchange)
    thread.start()
    for _ in range(2000):
        with suppress(RequestError, FileNotFoundError):
            found.add(content(roots, show / "plates" / "a.exr"))
    done.set()
    thread.join()
    assert found <= {"plate"}


def test_a_root_exchanged_for_a_link_before_the_look_leads_nowhere_new(show: Path, tmp_path: Path) -> None:
    roots = Roots([str(show)])
    show.rename(tmp_path / "moved")
    show.symlink_to(tmp_path / "secret")
    refused(roots, show / "a.exr")


# -- folders held by handle -----------------------------------------------------------------------------------


@pytest.fixture
def base(show: Path) -> Iterator[str]:
    """The path of a held folder."""
    folder = Roots([str(show)]).open_folder(str(show))
    yield held(folder)
    os.close(folder)


def test_below_a_held_folder_files_are_opened_by_name_and_folders_made(base: str, show: Path) -> None:
    with folder_of(f"{base}/units/one/fill.exr", create=True) as (folder, name):
        os.close(open_file_in(folder, name, os.O_WRONLY | os.O_CREAT))
    assert (show / "units" / "one" / "fill.exr").exists()


def test_below_a_held_folder_no_link_is_followed(base: str, show: Path, tmp_path: Path) -> None:
    (show / "units").symlink_to(tmp_path / "secret")
    (show / "plan.json").symlink_to(tmp_path / "secret" / "a.exr")
    for path in ("units/a.exr", "units/one/a.exr"):
        with pytest.raises(RequestError, match="meanwhile"), folder_of(f"{base}/{path}", create=True):
            pytest.fail("it was opened")
    with folder_of(f"{base}/plan.json") as (folder, name), pytest.raises(OSError):
        open_file_in(folder, name, os.O_RDONLY)
    assert os.listdir(tmp_path / "secret") == ["a.exr"]


def test_a_held_folder_stays_the_same_when_another_takes_its_name(base: str, show: Path, tmp_path: Path) -> None:
    show.rename(tmp_path / "moved")
    show.symlink_to(tmp_path / "secret")
    with folder_of(f"{base}/new") as (folder, name):
        os.close(open_file_in(folder, name, os.O_WRONLY | os.O_CREAT))
    assert (tmp_path / "moved" / "new").exists() and not (tmp_path / "secret" / "new").exists()


def test_anywhere_else_the_whole_path_is_the_name(tmp_path: Path) -> None:
    with folder_of(str(tmp_path / "a" / "b"), create=True) as (folder, name):
        assert folder is None and name == str(tmp_path / "a" / "b") and (tmp_path / "a").is_dir()


# -- what people read -----------------------------------------------------------------------------------------


def test_messages_name_a_held_folder_as_people_know_it(base: str, show: Path) -> None:
    assert told(f"{base}/plan.json is damaged, as is {base}.") == f"{show}/plan.json is damaged, as is {show}."


def test_messages_do_not_tell_which_files_a_process_has_open(show: Path) -> None:
    with open(show / "plates" / "a.exr") as stream:
        path = held(stream.fileno())
        assert told(f"{path}/x") == f"{path}/x"


@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=600))
def test_a_path_in_a_message_is_short_printable_and_can_be_encoded(path: str) -> None:
    text = shown(path)
    assert text.isprintable() and text.encode() and len(text) <= 12 * LONGEST_SHOWN if path else text == ""


# -- network storage ------------------------------------------------------------------------------------------

MOUNTS = r"""
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:26 / /mnt/show rw,relatime shared:2 - nfs4 filer:/show rw,vers=4.2
31 30 0:27 / /mnt/show/local rw - xfs /dev/vdb rw
32 22 0:28 / /mnt/with\040space rw,relatime shared:3 master:1 - fuse.sshfs host: rw
33 22 0:29 / /twice rw - nfs filer:/a rw
34 33 0:30 / /twice rw - ext4 /dev/vdc rw
35 22 0:31 / /smb rw - cifs //filer/share rw
not a line
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/somewhere", ""),
        ("/mnt/show", "nfs4"),
        ("/mnt/show/state/deep", "nfs4"),
        ("/mnt/showcase", ""),
        ("/mnt/show/local/state", ""),
        ("/mnt/with space/state", "fuse.sshfs"),
        ("/twice/state", ""),
        ("/smb/state", "cifs"),
    ],
)
def test_network_storage_is_known_by_the_innermost_mount(path: str, kind: str) -> None:
    assert network_filesystem(path, MOUNTS) == kind


def test_network_storage_is_known_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "state").symlink_to("/mnt/show/state")
    assert network_filesystem(str(tmp_path / "state"), MOUNTS) == "nfs4"


def test_this_machine_has_a_list_of_mounts_that_can_be_read(tmp_path: Path) -> None:
    text = Path("/proc/self/mountinfo").read_text(encoding="utf-8")
    assert isinstance(network_filesystem(str(tmp_path), text), str)
