"""The monitor's window: all jobs of a server and of farms, found by word and state, and what can be done to them."""

from PySide6.QtCore import QEvent, QItemSelection, QPoint, QRect, Qt, QTimer, QUrl
from PySide6.QtGui import (
    QAction,
    QCloseEvent,
    QDesktopServices,
    QGuiApplication,
    QHideEvent,
    QKeySequence,
    QPainter,
    QShowEvent,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QMainWindow,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionProgressBar,
    QStyleOptionViewItem,
    QTableView,
    QToolBar,
    QVBoxLayout,
    QWidget,
)

from void_plugin.ui.monitormodel import FRACTION, Index, MonitorFilter, MonitorModel
from void_plugin.ui.monitorrows import COLUMNS, LIVE, PROGRESS, STATES, SUBMITTED, Row
from void_plugin.ui.monitorwork import MonitorWork

SAMPLES = ("queued, 88 before it", "sh0010_removal_v01", "somebody.here", "recover, mask preview", "  100 %  ",
           "deadline-cloud", "88:88:88", "30 Sep 23:59")  # fmt: skip
"""As wide as what each column mostly holds; the last takes what is left."""
PADDING = 18
PORTION = 200
"""How many new jobs are shown in one go, as sorting them in takes the window's thread."""
NOTHING = "No job matches. New ones appear here by themselves."


class ProgressDelegate(QStyledItemDelegate):
    """Draws how far a job is as a bar with its number."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        fraction = index.data(FRACTION)
        if fraction is None:
            super().paint(painter, option, index)
            return
        bar = QStyleOptionProgressBar()
        where = QRect(option.rect).adjusted(3, 3, -3, -3)
        bar.rect = QRect(QPoint(0, 0), where.size())
        bar.palette, bar.state = option.palette, option.state | QStyle.StateFlag.State_Horizontal
        bar.minimum, bar.maximum, bar.progress = 0, 1000, round(1000 * fraction)
        bar.text, bar.textVisible = index.data(), True
        bar.textAlignment = Qt.AlignmentFlag.AlignCenter
        painter.save()
        painter.translate(where.topLeft())  # elsewhere Fusion draws both colours of the number over each other
        QApplication.style().drawControl(QStyle.ControlElement.CE_ProgressBar, bar, painter)
        painter.restore()


class MonitorWindow(QMainWindow):
    """Shows the jobs and asks for what is wished."""

    def __init__(self, work: MonitorWork) -> None:
        super().__init__()
        self.setWindowTitle("Jobs - VOID")
        self.work = work
        self.model = MonitorModel(self)
        self.shown = MonitorFilter(self.model)
        self.words, self.states, self.own = QLineEdit(), QComboBox(), QCheckBox("&Mine only")
        self.table = QTableView()
        self.server, self.farms, self.message = QLabel("Asking…"), QLabel(), QLabel(" ")
        self.count, self.details = QLabel(), QLabel()
        self._told: list[Row] = []
        self._filling = QTimer(self)
        self._filling.setSingleShot(True)
        self._filling.timeout.connect(self._fill)
        self._lay_out()
        self.actions_by_name = self._make_actions()
        self._connect()
        self.resize(1240, 620)
        self._filter()

    # -- how it is made --------------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        self.words.setPlaceholderText("Shot, owner, engine, device, failure…")
        self.words.setClearButtonEnabled(True)
        self.words.setAccessibleName("Words to look for")
        self.states.setAccessibleName("State to look for")
        self.states.addItem("All states", frozenset())
        self.states.addItem("Live", frozenset(LIVE))
        for state in STATES:
            self.states.addItem(state.capitalize(), frozenset({state}))
        self.own.setToolTip("Hide what others have submitted to the server")
        top = QHBoxLayout()
        label = QLabel("&Find")
        label.setBuddy(self.words)
        for widget, stretch in ((label, 0), (self.words, 1), (self.states, 0), (self.own, 0), (self.count, 0)):
            top.addWidget(widget, stretch)
        self.table.setAccessibleName("Jobs")
        self.table.setModel(self.shown)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSortingEnabled(True)
        self.table.sortByColumn(SUBMITTED, Qt.SortOrder.DescendingOrder)
        self.table.setItemDelegateForColumn(PROGRESS, ProgressDelegate(self))
        self.table.setTabKeyNavigation(False)
        self.table.setWordWrap(False)
        self.table.verticalHeader().hide()
        header = self.table.horizontalHeader()
        header.setStretchLastSection(True)
        header.setHighlightSections(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        for column, sample in enumerate(SAMPLES):
            wide = max(self.fontMetrics().horizontalAdvance(text) for text in (sample, COLUMNS[column] + "  "))
            self.table.setColumnWidth(column, wide + PADDING)
        for banner, name in ((self.server, "Server"), (self.farms, "Farms")):
            banner.setWordWrap(True)
            banner.setAccessibleName(name)
            banner.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            banner.setTextFormat(Qt.TextFormat.PlainText)
        self.farms.hide()
        middle = QWidget()
        column_of = QVBoxLayout(middle)
        column_of.addWidget(self.server)
        column_of.addWidget(self.farms)
        column_of.addLayout(top)
        column_of.addWidget(self.table, 1)
        self.setCentralWidget(middle)
        self.details.setWordWrap(True)
        self.details.setAccessibleName("What is the matter with the chosen job")
        self.details.setTextFormat(Qt.TextFormat.PlainText)
        self.details.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        column_of.addWidget(self.details)
        self.message.setWordWrap(True)
        self.message.setAccessibleName("Last message")
        self.message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        column_of.addWidget(self.message)

    def _make_actions(self) -> dict[str, QAction]:
        bar = QToolBar("Actions")
        bar.setMovable(False)
        bar.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        self.addToolBar(bar)
        made = {}
        for name, text, keys, tip, act in (
            ("cancel", "&Cancel", "Del", "Stop the chosen jobs; what is finished is kept", self.cancel),
            ("retry", "&Retry", "Ctrl+R", "Run the chosen jobs once more; what is finished is not done again",
             self.retry),
            ("reveal", "Show &folder", "Ctrl+Return", "Open the folder of the results", self.reveal),
            ("copy", "Copy &sentence", "Ctrl+C", "Copy what is the matter with the chosen jobs", self.copy),
            ("refresh", "&Look now", "F5", "Ask the server and the farms at once", self.work.refresh),
            ("find", "", "Ctrl+F", "Find", self.words.setFocus),
        ):  # fmt: skip
            action = QAction(text, self)
            action.setShortcut(QKeySequence(keys))
            action.setToolTip(f"{tip} ({keys})")
            action.triggered.connect(lambda _=False, act=act: act())
            (bar if text else self).addAction(action)
            made[name] = action
            if name in ("cancel", "retry", "reveal", "copy"):
                self.table.addAction(action)
        self.table.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        return made

    def _connect(self) -> None:
        work = self.work
        self.words.textChanged.connect(lambda text: self._filter())
        self.states.currentIndexChanged.connect(lambda index: self._filter())
        self.own.toggled.connect(self._own)
        self.table.selectionModel().selectionChanged.connect(self._chosen)
        self.table.doubleClicked.connect(lambda index: self.reveal())
        work.rows_changed.connect(self._take)
        work.server_told.connect(lambda well, text: self._tell(self.server, well, text))
        work.farms_told.connect(lambda well, text: self._tell(self.farms, well, text))
        work.said.connect(self.say)

    # -- what the user does ----------------------------------------------------------------------------------

    def chosen(self) -> list[Row]:
        """The jobs that are chosen, from above."""
        places = sorted(index.row() for index in self.table.selectionModel().selectedRows())
        return [self.shown.job_at(self.shown.index(place, 0)) for place in places]

    def cancel(self) -> None:
        """Stop those of the chosen jobs that are live."""
        self.work.cancel([row for row in self.chosen() if row.is_live])

    def retry(self) -> None:
        """Run those of the chosen jobs again that can be."""
        self.work.retry([row for row in self.chosen() if row.again])

    def reveal(self) -> None:
        """Show the folder of the job that is chosen first."""
        folder = next((row.folder for row in self.chosen() if row.folder), "")
        if not folder:
            self.say("Where the results of this job lie is known only where it was submitted.")
        elif not QDesktopServices.openUrl(QUrl.fromLocalFile(folder)):
            self.say(f"No program here shows folders; the results lie in {folder}.")

    def copy(self) -> None:
        """Put the sentences of the chosen jobs on the clipboard."""
        lines = [f"{row.shot} ({row.job}): {row.text or row.state}" for row in self.chosen()]
        if lines:
            QGuiApplication.clipboard().setText("\n".join(lines))
            self.say("Copied.")

    def say(self, text: str) -> None:
        """Put a sentence below the table."""
        self.message.setText(text or " ")
        self.message.setToolTip(text)

    # -- what the work says ----------------------------------------------------------------------------------

    def _take(self, rows: list[Row]) -> None:
        self._told = rows
        self._fill()

    def _fill(self) -> None:
        """Show what was told last; where much of it is new, in portions between which the window lives."""
        if self.model.set_rows(self._told, PORTION):
            self._filling.start(0)
        self._count()
        self._refresh()

    def _tell(self, banner: QLabel, well: bool, text: str) -> None:
        banner.setText(("● " if well else "○ ") + text)
        banner.setVisible(bool(text))

    # -- the rest --------------------------------------------------------------------------------------------

    def _filter(self) -> None:
        self.shown.look_for(self.words.text(), self.states.currentData())
        self._count()
        self._refresh()

    def _count(self) -> None:
        shown, whole = self.shown.rowCount(), self.model.rowCount()
        self.count.setText(f"{whole} jobs" if shown == whole else f"{shown} of {whole} jobs")
        self.count.setToolTip("" if shown else NOTHING)

    def _own(self, own: bool) -> None:
        self.work.own = own
        self.work.refresh()

    def _chosen(self, chosen: QItemSelection, no_longer: QItemSelection) -> None:
        self._refresh()

    def _refresh(self) -> None:
        """Offer what can be done to the chosen jobs."""
        rows = self.chosen()
        for name, able in (
            ("cancel", any(row.is_live for row in rows)),
            ("retry", any(row.again for row in rows)),
            ("reveal", any(row.folder for row in rows)),
            ("copy", bool(rows)),
        ):
            self.actions_by_name[name].setEnabled(able)
        row = rows[0] if rows else None
        self.details.setText(f"{row.shot}: {row.text}" if row and row.text else "")
        self.details.setVisible(bool(self.details.text()))

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.work.watch(True)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.work.watch(False)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.WindowStateChange:
            self.work.watch(self.isVisible() and not self.isMinimized())

    def closeEvent(self, event: QCloseEvent) -> None:
        self.work.close()
        event.accept()
