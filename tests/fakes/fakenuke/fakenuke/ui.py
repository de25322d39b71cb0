"""What Nuke shows: message boxes, progress bars, menus. Nothing waits for anybody; all is kept for the test."""

from .bench import BENCH
from .knob import run_python
from .strict import Handle, function, handle


class Screen(object):
    """Everything that was shown, and what the person in front of it answers."""

    def __init__(self):
        self.clear()

    def clear(self):
        self.messages = []
        """Texts of message boxes: (kind, text)."""
        self.answers = []
        """What `nuke.ask` and its like give next; without one they are faults."""
        self.tasks = []
        """Progress bars still shown."""
        self.finished_tasks = []
        self.cancel_tasks = False
        """Whether the person presses Cancel on every progress bar."""
        self.printed = []
        """What `nuke.tprint` printed."""

    def answer(self, kind, prompt):
        """What the person answers to a question."""
        self.messages.append((kind, prompt))
        if not self.answers:
            raise BENCH.fault("nobody answers {!r}".format(prompt))
        return self.answers.pop(0)


def progress_class(screen):
    """`nuke.ProgressTask` on a screen."""

    @handle
    class ProgressTask(Handle):
        """A progress bar that shows as long as the object lives."""

        def __init__(self, name):
            self._title, self._message, self._progress = name, "", 0
            self._history = []
            # Only its record may keep it on the screen, never the object, or it would not close when dropped.
            self._record = {"title": name, "message": "", "progress": 0, "updates": 0}
            screen.tasks.append(self._record)

        def setProgress(self, i):
            if not 0 <= i <= 100:
                raise BENCH.fault("a progress of {} is not between 0 and 100".format(i))
            self._record["progress"] = i
            self._record["updates"] += 1

        def setMessage(self, s):
            self._record["message"] = s

        def isCancelled(self):
            return screen.cancel_tasks

        def __del__(self):
            record = self.__dict__.get("_record")
            if record in screen.tasks:
                screen.tasks.remove(record)
                screen.finished_tasks.append(record)

    return ProgressTask


@handle
class MenuItem(Handle):
    """A command in a menu."""

    def __init__(self, name, command=None, shortcut="", icon=""):
        self._name, self._command, self._shortcut, self._icon = name, command, shortcut, icon
        self._enabled = True

    def name(self):
        return self._name

    def script(self):
        return self._command if isinstance(self._command, str) else ""

    def shortcut(self):
        return self._shortcut

    def setShortcut(self, keySequence):
        self._shortcut = keySequence

    def icon(self):
        return self._icon

    def setIcon(self, icon):
        self._icon = icon

    def setEnabled(self, enabled, recursive=False):
        self._enabled = enabled

    def invoke(self):
        if isinstance(self._command, str):
            run_python(self._command, "menu {}".format(self._name))
            return
        with BENCH.event("menu {}".format(self._name)):
            try:
                self._command()
            except Exception:
                BENCH.printed()


@handle
class Menu(MenuItem):
    """A menu; `/` in a name parts it from its submenus."""

    def __init__(self, name, icon=""):
        MenuItem.__init__(self, name, icon=icon)
        self._items = []

    def _child(self, name):
        for item in self._items:
            if item._name == name:
                return item
        return None

    def _place(self, item, index):
        self._items.insert(len(self._items) if index < 0 else index, item)
        return item

    def addMenu(self, name, icon="", tooltip="", index=-1):
        first, _, rest = name.partition("/")
        found = self._child(first)
        if not isinstance(found, Menu):
            found = self._place(Menu(first, icon), index)
        return found.addMenu(rest, icon, tooltip) if rest else found

    def addCommand(
        self,
        name,
        command=None,
        shortcut="",
        icon="",
        tooltip="",
        index=-1,
        readonly=False,
        node=False,
        shortcutContext=0,
    ):
        first, _, rest = name.partition("/")
        if rest:
            return self.addMenu(first).addCommand(rest, command, shortcut, icon, tooltip, index)
        if command is not None and not callable(command) and not isinstance(command, str):
            raise TypeError("a menu command is Python text or a callable, not {!r}".format(command))
        old = self._child(first)
        if old is not None:
            self._items.remove(old)
        return self._place(MenuItem(first, command, shortcut, icon), index)

    def addSeparator(self, index=-1):
        return self._place(MenuItem("-"), index)

    def findItem(self, name):
        first, _, rest = name.partition("/")
        found = self._child(first)
        if not rest:
            return found
        return found.findItem(rest) if isinstance(found, Menu) else None

    def menu(self, name):
        found = self.findItem(name)
        return found if isinstance(found, Menu) else None

    def items(self):
        return list(self._items)

    def removeItem(self, name):
        found = self._child(name)
        if found is not None:
            self._items.remove(found)

    def clearMenu(self):
        del self._items[:]


MENUS = ("Nuke", "Nodes", "Viewer", "Animation", "Properties", "Pane", "Axis")


def define(graph, screen):
    """Makes them part of `nuke`."""
    menus = {name: Menu(name) for name in MENUS}
    toolbars = {"Nodes": menus["Nodes"]}

    @function()
    def menu(name):
        if not graph.gui:
            raise BENCH.fault("there are no menus without a GUI; keep nuke.menu in menu.py")
        return menus.get(name)

    @function()
    def toolbar(name, create=True):
        if create and name not in toolbars:
            toolbars[name] = Menu(name)
        return toolbars.get(name)

    def box(kind):
        def shown(prompt):
            if not graph.gui:
                raise BENCH.fault("a box without a GUI: {}".format(prompt))
            screen.messages.append((kind, prompt))

        return shown

    function(name="message")(box("message"))
    function(name="alert")(box("alert"))
    function(name="critical")(box("critical"))

    def log(kind):
        return lambda message: screen.messages.append((kind, message))

    for kind in ("warning", "error", "debug"):
        function(name=kind)(log(kind))

    @function()
    def ask(prompt):
        return bool(screen.answer("ask", prompt))

    @function()
    def getInput(prompt, default=""):
        return screen.answer("getInput", prompt)

    @function()
    def tprint(*args, **options):
        screen.printed.append(options.get("sep", " ").join(str(item) for item in args))

    @function()
    def executing(f=None):
        return graph.rendering
