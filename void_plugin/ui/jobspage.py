"""The jobs of this panel: how far each is, and what can be done about it."""

import time
from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QHBoxLayout,
    QHeaderView,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from void_plugin.hosts.states import NodeState, duration

_CONTENTS, _BY_HAND = QHeaderView.ResizeMode.ResizeToContents, QHeaderView.ResizeMode.Interactive
_KEY = Qt.ItemDataRole.UserRole
SURE = 0.05
"""Share of a job that must have been done before its pace says how long the rest takes."""
ACTIONS = {"remove": "Remove", "farm": "On the farm", "test": "Test frame", "preview": "Preview mask"}
"""What each kind of job is called."""


class JobsPage(QWidget):
    """Lists jobs by a key; the newest comes first."""

    cancel_asked = Signal(str)
    retry_asked = Signal(str)
    reveal_asked = Signal(str)

    def __init__(self, parent: QWidget | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(parent)
        self._clock = clock
        self.tree = QTreeWidget()
        self.tree.setHeaderLabels(["Shot", "What", "State", ""])
        self.tree.setRootIsDecorated(False)
        self.tree.setAccessibleName("Jobs")
        self.tree.setTextElideMode(Qt.TextElideMode.ElideMiddle)  # names of shots differ at both ends
        header = self.tree.header()
        header.setStretchLastSection(False)
        header.setMinimumSectionSize(8 * header.fontMetrics().averageCharWidth())
        for section, mode in enumerate((_BY_HAND, _CONTENTS, QHeaderView.ResizeMode.Stretch, _CONTENTS)):
            header.setSectionResizeMode(section, mode)
        header.resizeSection(0, 13 * header.fontMetrics().averageCharWidth())
        self.log = QPlainTextEdit()
        self.log.setReadOnly(True)
        self.log.setAccessibleName("What happened to this job")
        self.cancel, self.retry, self.reveal = QPushButton("Cancel"), QPushButton("Retry"), QPushButton("Show folder")
        self.cancel.setToolTip("Stop the job; pressed twice it does not wait for the server")
        self.retry.setToolTip("Run it once more; what is finished is not done again")
        self.reveal.setToolTip("Open the version's folder")
        row = QHBoxLayout()
        for button, signal in (
            (self.cancel, self.cancel_asked), (self.retry, self.retry_asked), (self.reveal, self.reveal_asked),
        ):  # fmt: skip
            button.clicked.connect(lambda _=False, signal=signal: self._ask(signal))
            row.addWidget(button)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.addWidget(self.tree, 2)
        column.addLayout(row)
        column.addWidget(self.log, 1)
        self._bars: dict[str, QProgressBar] = {}
        self._said: dict[str, list[str]] = {}
        self._states: dict[str, NodeState] = {}
        self._paces: dict[str, tuple[float, float]] = {}
        """When a job was first seen at work, and how far it was then."""
        self.tree.currentItemChanged.connect(lambda *_: self._show())
        self._show()

    def add(self, key: str, shot: str, action: str) -> None:
        """Begin a row."""
        item = QTreeWidgetItem([shot, ACTIONS[action], "", ""])
        item.setData(0, _KEY, key)
        item.setToolTip(0, shot)
        self.tree.insertTopLevelItem(0, item)
        bar = QProgressBar()
        bar.setRange(0, 1000)
        bar.setFixedWidth(8 * bar.fontMetrics().averageCharWidth())
        bar.setAccessibleName(f"Progress of {shot}")
        self.tree.setItemWidget(item, 3, bar)
        self._bars[key], self._said[key] = bar, []
        self.tree.setCurrentItem(item)

    def update_job(self, key: str, state: NodeState) -> None:
        """Show how far a job is."""
        item = self._item(key)
        if item is None:
            return
        self._states[key] = state
        left = self._left(key, state)
        item.setText(2, f"{state.text}, about {duration(left)} left" if left is not None else state.text)
        item.setToolTip(2, state.full_text())
        self._bars[key].setValue(round(1000 * state.fraction))
        said = self._said[key]
        for line in state.full_text().splitlines():
            if line and (not said or line not in said[-8:]):
                said.append(line)
        if key == self.current():
            self._show()

    def _left(self, key: str, state: NodeState) -> float | None:
        """Seconds that a job still takes at its pace so far; None where nothing can be said yet."""
        if state.kind != "running" or state.fraction <= 0:
            self._paces.pop(key, None)
            return None
        now = self._clock()
        since, begun = self._paces.setdefault(key, (now, state.fraction))
        if state.fraction < begun + SURE:
            return None
        return (1 - state.fraction) * (now - since) / (state.fraction - begun)

    def current(self) -> str:
        """The key of the row that is chosen; empty where there is none."""
        item = self.tree.currentItem()
        return str(item.data(0, _KEY)) if item is not None else ""

    def state_of(self, key: str) -> NodeState | None:
        """What was shown last of a job."""
        return self._states.get(key)

    def _ask(self, signal: object) -> None:
        if self.current():
            signal.emit(self.current())  # type: ignore[attr-defined]

    def _item(self, key: str) -> QTreeWidgetItem | None:
        for index in range(self.tree.topLevelItemCount()):
            item = self.tree.topLevelItem(index)
            if item is not None and item.data(0, _KEY) == key:
                return item
        return None

    def _show(self) -> None:
        """The log of the row that is chosen, and what can be done about it."""
        state = self._states.get(self.current())
        self.cancel.setEnabled(state is not None and state.can_be_cancelled)
        self.retry.setEnabled(state is not None and state.kind in ("failed", "cancelled"))
        self.reveal.setEnabled(bool(self.current()))
        text = "\n".join(self._said.get(self.current(), []))
        if text != self.log.toPlainText():
            self.log.setPlainText(text)
