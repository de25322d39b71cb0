"""The table of the monitor: hundreds of jobs, of which a few change."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from PySide6.QtCore import QItemSelectionModel, Qt
from PySide6.QtWidgets import QTableView

from void_plugin.bridge import Sidecar
from void_plugin.ui.monitor import PORTION, MonitorWindow
from void_plugin.ui.monitormodel import FRACTION, SORT, MonitorFilter, MonitorModel
from void_plugin.ui.monitorrows import COLUMNS, PROGRESS, SHOT, STATE, SUBMITTED, TEXT, TIME, Row, row_of_job
from void_plugin.ui.monitorwork import MonitorWork

MANY = 1000
NOW = 1_800_000_000.0


def jobs(count: int = MANY) -> list[Row]:
    """Jobs of which the newest comes first; one in ten is live."""
    made = []
    for number in range(count):
        live = number < count // 10
        began = NOW - 60.0 * number
        made.append(
            Row(
                key=f"s {number}", job=f"j{number}", farm="", state="running" if live else "succeeded",
                shot=f"sh{number:04d}", owner="mary" if number % 2 else "john", engine="recover",
                fraction=0.5 if live else 1.0, submitted=began, began=began, ended=0.0 if live else began + 30.0,
            )
        )  # fmt: skip
    return made


class Heard:
    """What a model says while rows are set."""

    def __init__(self, model: MonitorModel) -> None:
        self.whole: list[int] = []
        self.clocks = self.resets = self.inserted = self.removed = 0
        model.dataChanged.connect(self._changed)
        model.modelReset.connect(lambda: self._count("resets"))
        model.layoutChanged.connect(lambda *_: self._count("resets"))
        model.rowsInserted.connect(lambda parent, first, last: self._count("inserted", last - first + 1))
        model.rowsRemoved.connect(lambda parent, first, last: self._count("removed", last - first + 1))

    def _count(self, name: str, by: int = 1) -> None:
        setattr(self, name, getattr(self, name) + by)

    def _changed(self, first: Any, last: Any, roles: Any) -> None:
        if last.column() - first.column() == len(COLUMNS) - 1:
            self.whole.append(first.row())
        else:
            assert first.column() == last.column() == TIME
            self.clocks += 1


@pytest.fixture
def model(qapp: Any) -> MonitorModel:
    made = MonitorModel(clock=lambda: NOW)
    made.set_rows(jobs())
    return made


def test_of_a_thousand_rows_only_those_that_changed_are_drawn_anew(model: MonitorModel) -> None:
    rows = jobs()
    for number in (3, 500, 999):
        rows[number] = replace(rows[number], text="something else")
    heard = Heard(model)
    model.set_rows(rows)
    assert heard.whole == [3, 500, 999]
    assert heard.clocks == MANY // 10 - 1  # the clocks of the other live ones
    assert heard.resets == heard.inserted == heard.removed == 0


def test_the_same_jobs_that_have_ended_change_nothing(model: MonitorModel) -> None:
    rows = [replace(row, state="succeeded", ended=NOW) for row in jobs()]
    model.set_rows(rows)
    heard = Heard(model)
    model.set_rows(list(rows))
    assert heard.whole == [] and heard.clocks == heard.resets == 0


def test_jobs_come_and_go_without_the_rest_being_made_anew(model: MonitorModel) -> None:
    heard = Heard(model)
    fresh = replace(jobs(1)[0], key="new", submitted=NOW + 1)
    model.set_rows([fresh, *jobs()[:200], *jobs()[203:]])
    assert heard.removed == 3 and heard.inserted == 1 and heard.resets == 0
    assert model.rowCount() == MANY - 2
    assert {model.row_at(place).key for place in range(model.rowCount())} == {
        "new",
        *(row.key for row in [*jobs()[:200], *jobs()[203:]]),
    }


@pytest.fixture
def window(qtbot: Any) -> Iterator[MonitorWindow]:
    """A monitor that asks nobody."""
    made = MonitorWindow(MonitorWork(Sidecar([sys.executable, "-c", ""], dict(os.environ)), None, ""))
    qtbot.addWidget(made)
    made.show()
    yield made
    made.close()


def test_a_thousand_jobs_are_shown_in_portions_so_that_the_window_lives(qtbot: Any, window: MonitorWindow) -> None:
    heard: list[int] = []
    window.model.rowsInserted.connect(lambda parent, first, last: heard.append(last - first + 1))
    window.work.rows_changed.emit(jobs())
    assert heard == [PORTION] and window.count.text() == f"{PORTION} jobs"
    window.work.rows_changed.emit(jobs(MANY - 1))  # told again meanwhile, one of them gone
    qtbot.waitUntil(lambda: window.model.rowCount() == MANY - 1, timeout=60_000)
    assert max(heard) == PORTION and window.count.text() == f"{MANY - 1} jobs"
    shown = [window.shown.job_at(window.shown.index(place, 0)).job for place in range(MANY - 1)]
    assert shown == [row.job for row in jobs(MANY - 1)]


def test_what_a_filter_hides_is_not_offered_any_more(qtbot: Any, window: MonitorWindow) -> None:
    window.work.rows_changed.emit([replace(row, text="It failed.") for row in jobs(10)])
    window.table.selectRow(3)
    assert window.details.text() and window.actions_by_name["copy"].isEnabled()
    qtbot.keyClicks(window.words, "nothing such")
    assert not window.chosen() and not window.details.isVisible()
    assert not any(window.actions_by_name[name].isEnabled() for name in ("cancel", "retry", "reveal", "copy"))


def test_what_is_chosen_and_the_order_stay_while_jobs_change(qtbot: Any, model: MonitorModel) -> None:
    shown = MonitorFilter(model)
    view = QTableView()
    qtbot.addWidget(view)
    view.setModel(shown)
    view.setSortingEnabled(True)
    view.sortByColumn(SUBMITTED, Qt.SortOrder.DescendingOrder)
    assert shown.job_at(shown.index(0, 0)).job == "j0"
    flags = QItemSelectionModel.SelectionFlag.Select | QItemSelectionModel.SelectionFlag.Rows
    for place in (2, 700):
        view.selectionModel().select(shown.index(place, 0), flags)
    rows = jobs()
    rows[2] = replace(rows[2], fraction=0.75)
    fresh = replace(rows[0], key="new", job="new", submitted=NOW + 1)
    model.set_rows([fresh, *rows[:1], *rows[2:]])  # one new above, one gone
    assert shown.job_at(shown.index(0, 0)).job == "new"
    chosen = [shown.job_at(index) for index in view.selectionModel().selectedRows()]
    assert {row.job for row in chosen} == {"j2", "j700"}
    times = [shown.job_at(shown.index(place, 0)).submitted for place in range(shown.rowCount())]
    assert times == sorted(times, reverse=True)


def test_words_and_states_find_jobs(model: MonitorModel) -> None:
    shown = MonitorFilter(model)
    shown.look_for("SH0007", frozenset())
    assert shown.rowCount() == 1
    shown.look_for("john recover", frozenset({"running"}))
    assert shown.rowCount() == 50
    shown.look_for("", frozenset())
    assert shown.rowCount() == MANY


def test_a_row_says_what_a_server_says(qapp: Any) -> None:
    job = {
        "job_id": "j1", "shot": "sh010", "owner": "mary", "engine": "recover", "kind": "remove", "state": "failed",
        "stopping": False, "position": 0, "fraction": 0.25, "device": "", "submitted_at": NOW - 100,
        "started_at": NOW - 90, "ended_at": NOW - 28, "error_text": "The matte is empty.", "folder": "/out",
        "again": True,
    }  # fmt: skip
    model = MonitorModel(clock=lambda: NOW)
    model.set_rows([row_of_job("here:1", job)])

    def cell(column: int, role: int = int(Qt.ItemDataRole.DisplayRole)) -> Any:
        return model.data(model.index(0, column), role)

    assert [cell(column) for column in (STATE, SHOT, PROGRESS, TIME, TEXT)] == [
        "failed", "sh010", "25%", "1:02", "The matte is empty.",
    ]  # fmt: skip
    assert cell(PROGRESS, FRACTION) == 0.25 and cell(TIME, SORT) == 62.0
    assert cell(STATE, int(Qt.ItemDataRole.AccessibleTextRole)) == "State: failed"
    queued = {**job, "state": "queued", "position": 2, "started_at": None, "ended_at": None, "fraction": 0.0}
    model.set_rows([row_of_job("here:1", queued)])
    assert cell(STATE) == "queued, 2 before it" and cell(PROGRESS, FRACTION) is None and cell(TIME) == "1:40"
    model.set_rows([row_of_job("here:1", {**job, "state": "a newer one"})])
    assert cell(STATE) == "unknown"
