"""The connection: which server, whether it answers, what it can run, and what to do where it does not."""

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

HELP = {
    "server.unavailable": "Start `void-server serve` there, look whether a firewall is between, or leave the address "
    "empty to work on this machine.",
    "server.unauthenticated": "Name the file of the server's token in $VOID_TOKEN_FILE, then start the panel again.",
    "server.timeout": "The machine answers, the server does not: look into its log, or wait until it has loaded.",
}
"""What to do, by the code of an error."""


class Health:
    """What the last answer of a server amounts to."""

    def __init__(self, facts: Mapping[str, Any] | None, code: str = "", text: str = "") -> None:
        self.facts = dict(facts or {})
        self.code, self.text = code, text

    @property
    def is_good(self) -> bool:
        """True where it answers and something can run."""
        return (
            not self.text
            and not self.facts.get("stale")
            and any(engine.get("available") for engine in self.facts.get("engines") or ())
        )

    @property
    def sentence(self) -> str:
        """One line for the status bar."""
        where = self.facts.get("address") or "this machine"
        if self.text:
            return self.text
        if self.facts.get("stale"):
            return f"{where} is away: {self.facts.get('reason')}"
        able = [str(engine["name"]) for engine in self.facts.get("engines") or () if engine.get("available")]
        able = [name for name in able if not name.startswith("identity")]
        return f"{where}: {', '.join(able)}" if able else f"{where}: no engine can run"


class ConnectionDialog(QDialog):
    """Shows the health of a server and takes another address."""

    server_chosen = Signal(str)
    """An address, or nothing for this machine."""
    refresh_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Connection")
        self.address = QLineEdit()
        self.address.setAccessibleName("Server address")
        self.address.setPlaceholderText("host:port, or empty for this machine")
        use, again = QPushButton("Use"), QPushButton("Ask again")
        use.setDefault(True)
        self.light = QLabel()
        self.light.setWordWrap(True)
        self.light.setAccessibleName("Health")
        self.advice = QLabel()
        self.advice.setWordWrap(True)
        self.advice.setAccessibleName("What to do")
        self.engines = QTreeWidget()
        self.engines.setHeaderLabels(["Engine", "State", "Devices", "Memory"])
        self.engines.setRootIsDecorated(False)
        self.engines.setAccessibleName("Engines")
        self.facts = QLabel()
        self.facts.setWordWrap(True)
        row = QHBoxLayout()
        row.addWidget(self.address, 1)
        row.addWidget(use)
        row.addWidget(again)
        form = QFormLayout()
        label = QLabel("Server")
        label.setBuddy(self.address)
        form.addRow(label, row)
        form.addRow("Health", self.light)
        column = QVBoxLayout(self)
        column.addLayout(form)
        column.addWidget(self.advice)
        column.addWidget(self.engines, 1)
        column.addWidget(self.facts)
        close = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        close.rejected.connect(self.reject)
        column.addWidget(close)
        use.clicked.connect(lambda: self.server_chosen.emit(self.address.text().strip()))
        again.clicked.connect(self.refresh_asked.emit)
        self.resize(640, 420)

    def show_health(self, server: str, health: Health | None) -> None:
        """Show an answer; None while it is awaited."""
        if not self.address.hasFocus():
            self.address.setText(server)
        if health is None:
            self.light.setText("Asking…")
            self.advice.clear()
            self.engines.clear()
            self.facts.clear()
            return
        sign = "●" if health.is_good else "○"
        colour = "#2e8b57" if health.is_good else "#c0392b"
        self.light.setText(f'<span style="color:{colour}">{sign}</span> {health.sentence}')
        stale = "server.unavailable" if health.facts.get("stale") else ""
        self.advice.setText("" if health.is_good else HELP.get(health.code or stale, _weights(health.facts)))
        self.engines.clear()
        for engine in health.facts.get("engines") or ():
            if str(engine.get("name")).startswith("identity"):  # for tests and measurements
                continue
            state = "can run" if engine.get("available") else str(engine.get("reason"))
            row = [
                str(engine.get("name")),
                state,
                ", ".join(engine.get("devices") or ()),
                str(engine.get("memory") or ""),
            ]
            item = QTreeWidgetItem(row)
            item.setToolTip(1, state)
            self.engines.addTopLevelItem(item)
        self.facts.setText(_facts(health.facts))
        for column in range(4):
            self.engines.resizeColumnToContents(column)


def _weights(facts: Mapping[str, Any]) -> str:
    """What to do where a server answers and nothing can run."""
    return "`void-server models check` says which weights are missing, `void-server models fetch` brings them; the " \
        "engine recover needs none." if facts.get("engines") else ""  # fmt: skip


def _facts(facts: Mapping[str, Any]) -> str:
    server = facts.get("server") or {}
    lines = []
    if server.get("version"):
        lines.append(f"void-server {server['version']}, you are {server.get('identity') or 'anonymous'} there")
    for device in facts.get("devices") or ():
        lines.append(f"{device.get('name')}: {device.get('state')}, restarted {device.get('restarts', 0)} times")
    if server.get("roots"):
        lines.append("Shared folders: " + ", ".join(server["roots"]))
    return "\n".join(lines)
