"""The errors that anomgan raises on purpose.

Every message says what is wrong, where, and what to do about it. The command line prints only the
message and exits with `exit_code`.
"""


class AnomganError(Exception):
    """Base of all errors that anomgan raises on purpose; each argument is a line of the message."""

    exit_code = 2

    def __str__(self) -> str:
        return "\n".join(map(str, self.args))


class InputError(AnomganError, ValueError):
    """An image, a folder or a table from the user cannot be used."""


class SettingsError(AnomganError, ValueError):
    """A setting is unknown, of the wrong type or out of range."""


class ModelError(AnomganError):
    """A model is incomplete, damaged, of another format, or cannot be exported."""


class TrainingError(AnomganError):
    """A training run cannot continue; its last good checkpoint is kept."""


class TimeLimitError(AnomganError):
    """A frame was not inspected within its time limit; the next frame can be inspected."""


class AnomganWarning(UserWarning):
    """Base of all Python warnings of anomgan; the command line prints its own warnings."""


class ImageWarning(AnomganWarning):
    """Scored images differ in kind from the training images: in depth, size or colour."""


class PromiseWarning(AnomganWarning):
    """The promised false-alarm rate is higher than the requested one."""


class Interrupted(AnomganError):
    """The user stopped a training run; a checkpoint is saved."""

    exit_code = 130
