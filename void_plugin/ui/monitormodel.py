"""The table of a monitor, for hundreds of jobs: only what has changed is drawn anew; choice and order stay."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QSortFilterProxyModel,
    Qt,
)
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication

from void_plugin.ui.monitorrows import COLUMNS, PROGRESS, STATE, TEXT, TIME, Row, shown, sorted_by

Index = QModelIndex | QPersistentModelIndex
NOWHERE = QModelIndex()
SORT = int(Qt.ItemDataRole.UserRole)
"""Role of what a column is sorted by."""
FRACTION = SORT + 1
"""Role of how far a job is, 0 to 1; None where there is nothing to show."""
DISPLAY = int(Qt.ItemDataRole.DisplayRole)
_GREY = {"light": "#6b6b6b", "dark": "#a0a0a0"}
_COLOURS = {
    "running": {"light": "#1f5fa8", "dark": "#7db4f0"},
    "succeeded": {"light": "#2e7d32", "dark": "#81c784"},
    "failed": {"light": "#b3261e", "dark": "#ff8a80"},
    "cancelled": _GREY,
    "unknown": _GREY,
}


class MonitorModel(QAbstractTableModel):
    """The jobs, in the order in which they were first seen."""

    def __init__(self, parent: QObject | None = None, clock: Callable[[], float] = time.time) -> None:
        super().__init__(parent)
        self._clock = clock
        self._rows: list[Row] = []
        self._places: dict[str, int] = {}

    def set_rows(self, rows: Sequence[Row], most_new: int | None = None) -> bool:
        """Show these jobs: what is gone is taken out, what is new comes last, what has changed is drawn anew.

        Of those that are new no more than `most_new` are taken; True where others are left for another time.
        """
        wanted = {row.key: row for row in rows}
        self._take_out([place for place, row in enumerate(self._rows) if row.key not in wanted])
        for place, old in enumerate(self._rows):
            new = wanted[old.key]
            if new != old:
                self._rows[place] = new
                self.dataChanged.emit(self.index(place, 0), self.index(place, len(COLUMNS) - 1))
            elif new.is_live:  # its clock goes on
                self.dataChanged.emit(self.index(place, TIME), self.index(place, TIME))
        fresh = [row for row in wanted.values() if row.key not in self._places]
        added = fresh[:most_new]
        if added:
            first = len(self._rows)
            self.beginInsertRows(NOWHERE, first, first + len(added) - 1)
            self._rows += added
            self._number()
            self.endInsertRows()
        return len(added) < len(fresh)

    def row_at(self, place: int) -> Row:
        """A job by its place."""
        return self._rows[place]

    def _take_out(self, places: list[int]) -> None:
        for place in reversed(places):
            self.beginRemoveRows(NOWHERE, place, place)
            del self._rows[place]
            self.endRemoveRows()
        if places:
            self._number()

    def _number(self) -> None:
        self._places = {row.key: place for place, row in enumerate(self._rows)}

    # -- for the view ----------------------------------------------------------------------------------------

    def rowCount(self, parent: Index = NOWHERE) -> int:
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = NOWHERE) -> int:
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = DISPLAY) -> Any:
        if orientation == Qt.Orientation.Horizontal and role == DISPLAY:
            return COLUMNS[section]
        return None

    def data(self, index: Index, role: int = DISPLAY) -> Any:
        row, column = self._rows[index.row()], index.column()
        if role == DISPLAY:
            return shown(row, column, self._clock())
        if role == SORT:
            return sorted_by(row, column, self._clock())
        if role == Qt.ItemDataRole.ToolTipRole:
            return row.text if column == TEXT else shown(row, column, self._clock())
        if role == FRACTION and column == PROGRESS:
            return row.fraction if row.state != "queued" else None
        if role == Qt.ItemDataRole.ForegroundRole and column == STATE:
            return _colour(row.state)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{COLUMNS[column]}: {shown(row, column, self._clock()) or 'nothing'}"
        if role == Qt.ItemDataRole.TextAlignmentRole and column in (PROGRESS, TIME):
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        return None


class MonitorFilter(QSortFilterProxyModel):
    """The jobs that are looked for, sorted."""

    def __init__(self, model: MonitorModel) -> None:
        super().__init__(model)
        self._model, self._words, self._states = model, [""], frozenset[str]()
        self.setSourceModel(model)
        self.setSortRole(SORT)
        self.setDynamicSortFilter(True)

    def look_for(self, text: str, states: frozenset[str]) -> None:
        """Show jobs that hold all words of a text, in some states or, where there are none, in any."""
        self._words, self._states = text.casefold().split(), states
        self.invalidate()

    def filterAcceptsRow(self, place: int, parent: Index) -> bool:
        row = self._model.row_at(place)
        if self._states and row.state not in self._states:
            return False
        words = row.words()
        return all(word in words for word in self._words)

    def job_at(self, index: Index) -> Row:
        """The job that a row of the view shows."""
        return self._model.row_at(self.mapToSource(index).row())


def _colour(state: str) -> QColor | None:
    """The colour of a state, readable on light and on dark."""
    dark = QApplication.palette().color(QPalette.ColorRole.Base).lightness() < 128
    names = _COLOURS.get(state)
    return QColor(names["dark" if dark else "light"]) if names else None
