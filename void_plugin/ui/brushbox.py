"""The tools of the hand: brush and eraser, what they paint, and how it is shown."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QGroupBox,
    QHBoxLayout,
    QPushButton,
    QSlider,
    QVBoxLayout,
    QWidget,
)

RADIUS = (0.5, 512.0)
"""Least and most, in pixels of the plate."""
WHAT = (("remove", "Remove (red)"), ("affected", "Affected (green)"))


class BrushBox(QGroupBox):
    """Chooses a tool."""

    changed = Signal()
    """Size or look of the brush."""
    tool_chosen = Signal(str)
    copy_asked = Signal()
    undo_asked = Signal()
    redo_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Brush", parent)
        self.tool = "brush"
        """brush, eraser, or one of the key frames' tools."""
        self.buttons: dict[str, QPushButton] = {}
        tools = QHBoxLayout()
        for name, text, tip in (
            ("brush", "&Brush", "Paint; the right button erases"),
            ("eraser", "&Eraser", "Erase; the right button paints"),
        ):
            button = _button(text, tip, lambda name=name: self.tool_chosen.emit(name))
            button.setCheckable(True)
            self.buttons[name] = button
            tools.addWidget(button)
        self.what = QComboBox()
        self.what.setToolTip("What is removed, or what the removal may also change: shadows, reflections, what falls")
        for name, text in WHAT:
            self.what.addItem(text, name)
        self._radius = _number(*RADIUS, 24.0, 1.0, " px", "Radius in pixels of the plate ([ and ], or Ctrl and drag)")
        self._hardness = _number(0, 100, 80, 10, " %", "How much of the radius is full; beyond, it fades")
        self._opacity = QSlider(Qt.Orientation.Horizontal)
        self._opacity.setRange(5, 100)
        self._opacity.setValue(50)
        self._opacity.setToolTip("How strongly the mattes cover the picture below")
        self._mattes, self._grid = QCheckBox("Show mattes"), QCheckBox("Show &grid")
        self._mattes.setChecked(True)
        self._mattes.setToolTip("The mattes as they are painted; Preview mask shows what the engine makes of them")
        self._grid.setToolTip(
            "The cells in which VOID is told what is affected: 8 x 14 of 48 pixels on its raster of 384x672. They lie "
            "in the part that the last mask preview has outlined, or else over the whole plate"
        )
        form = QFormLayout()
        for text, widget in (
            ("Paints", self.what), ("Radius", self._radius), ("Hardness", self._hardness), ("Opacity", self._opacity),
        ):  # fmt: skip
            widget.setAccessibleName(text)
            form.addRow(text, widget)
        shown = QHBoxLayout()
        shown.addWidget(self._mattes)
        shown.addWidget(self._grid)
        self.copy = _button("Copy &previous frame", "Take the matte of the frame before (Ctrl+D)", self.copy_asked.emit)
        self.undo = _button("&Undo", "", self.undo_asked.emit)
        self.redo = _button("&Redo", "", self.redo_asked.emit)
        steps = QHBoxLayout()
        for button in (self.undo, self.redo, self.copy):
            steps.addWidget(button)
        column = QVBoxLayout(self)
        for layout in (tools, form, shown, steps):
            column.addLayout(layout)
        for changed in (
            self._radius.valueChanged, self._hardness.valueChanged, self._opacity.valueChanged, self._mattes.toggled,
            self._grid.toggled,
        ):  # fmt: skip
            changed.connect(lambda _: self.changed.emit())
        self.set_tool("brush")
        self.set_steps("", "")

    @property
    def label(self) -> str:
        """What is painted: remove or affected."""
        return str(self.what.currentData())

    @property
    def radius(self) -> float:
        """In pixels of the plate."""
        return self._radius.value()

    @property
    def hardness(self) -> float:
        """0 to 1."""
        return self._hardness.value() / 100

    @property
    def opacity(self) -> float:
        """0 to 1."""
        return self._opacity.value() / 100

    @property
    def mattes_shown(self) -> bool:
        """Whether mattes lie over the picture."""
        return self._mattes.isChecked()

    @property
    def grid_shown(self) -> bool:
        """Whether the grid lies over the picture."""
        return self._grid.isChecked()

    def set_radius(self, radius: float) -> None:
        """Take another radius, within the limits."""
        self._radius.setValue(radius)

    def set_tool(self, tool: str) -> None:
        """Show which tool the hand holds."""
        self.tool = tool
        for name, button in self.buttons.items():
            button.setChecked(name == tool)

    def set_steps(self, undo: str, redo: str) -> None:
        """Show what can be undone and done again, by name."""
        for button, name, keys in ((self.undo, undo, "Ctrl+Z"), (self.redo, redo, "Ctrl+Shift+Z")):
            button.setEnabled(bool(name))
            button.setToolTip(f"{name or 'Nothing'} ({keys})")


def _button(text: str, tip: str, act: object) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    button.setAutoDefault(False)
    button.clicked.connect(lambda _=False: act())  # type: ignore[operator]
    return button


def _number(least: float, most: float, value: float, step: float, unit: str, tip: str) -> QDoubleSpinBox:
    box = QDoubleSpinBox(minimum=least, maximum=most, singleStep=step, decimals=1, value=value, suffix=unit)
    box.setToolTip(tip)
    return box
