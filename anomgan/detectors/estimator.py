"""A detector's parameters, stored as a scikit-learn estimator stores them."""

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from anomgan.config import Section, Settings
from anomgan.config_values import build_settings, names_with_effect
from anomgan.detectors.describe import describe_arguments
from anomgan.detectors.fitted import Fitted
from anomgan.detectors.method import Method
from anomgan.errors import ModelError, SettingsError
from anomgan.machine.device import choose_device

if TYPE_CHECKING:
    from sklearn.utils import Tags


class Estimator(Method):
    """A method with parameters. They are kept as given; `settings` holds the validated values.

    Args:
        device: "auto", "cpu", "cuda" or "mps".
        **values: settings, nested as in a settings file: `training={"steps": 500}`; None for the
            default.

    Raises:
        TypeError: there is no such argument.
        SettingsError: names every setting that is unknown, out of range, or without effect.
    """

    __signature__: ClassVar[inspect.Signature]
    _fitted: Fitted | None = None

    def __init__(self, *, device: str = "auto", **values: Any) -> None:
        usual = _arguments(self.settings_type)
        if unknown := values.keys() - usual:
            raise TypeError(
                f"{type(self).__name__} got an unexpected argument {min(unknown)} "
                f"(known: {', '.join(usual)})"
            )
        self._give(usual | values | {"device": device})

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "settings_type" in cls.__dict__:
            usual, keyword = _arguments(cls.settings_type), inspect.Parameter.KEYWORD_ONLY
            # A TypedDict names the arguments for type checkers, and this for everything else.
            cls.__signature__ = inspect.Signature(
                [inspect.Parameter(name, keyword, default=one) for name, one in usual.items()]
            )
            text = describe_arguments(cls.settings_type, usual)
            cls.__doc__ = f"{inspect.cleandoc(cls.__doc__ or '')}\n\n{text}".lstrip()
        elif "__init__" in cls.__dict__:  # its own constructor, not that of the method it extends
            own = inspect.signature(cls.__init__)
            cls.__signature__ = own.replace(parameters=list(own.parameters.values())[1:])

    @classmethod
    def from_settings(cls, values: Mapping[str, Any], device: str = "auto") -> Self:
        """Make a detector from nested settings, as a settings file holds them.

        Raises:
            SettingsError: names every setting that is unknown, out of range, or without effect.
        """
        build_settings(cls.settings_type, values)  # its errors list the known names
        given = {name: value for name, value in values.items() if name != "detector"}
        return cls(device=device, **given)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the arguments of the constructor as they were given; None is the default.

        Args:
            deep: also return every setting in a section, as "training__steps".
        """
        given = dict(self._given)
        if deep:
            for section in self._given:
                inner = getattr(self.settings, section, None)
                names = getattr(type(inner), "model_fields", ())
                given |= {f"{section}__{name}": getattr(inner, name) for name in names}
        return given

    def set_params(self, **parameters: Any) -> Self:
        """Change a whole section, or one key of a section: `set_params(training__steps=500)`.

        The detector is no longer fitted afterwards, because the settings have changed.

        Raises:
            SettingsError: a name or a value is wrong. Then nothing is changed.
        """
        given = dict(self._given)
        for parameter, value in parameters.items():
            name, nested, key = parameter.partition("__")
            if name not in given:
                raise SettingsError(f"unknown parameter {parameter} (known: {', '.join(given)})")
            given[name] = {**(given[name] or {}), key: value} if nested else value
        if parameters:
            self._give(given)
        return self

    def __repr__(self) -> str:
        shown = [f"{name}={value!r}" for name, value in self._changes().items()]
        return f"{type(self).__name__}({', '.join(shown)})"

    def __sklearn_tags__(self) -> "Tags":
        """Tell scikit-learn that this is an outlier detector for images, not for a table."""
        from sklearn.utils import InputTags, Tags, TargetTags  # late: 80 MB

        inputs = InputTags(two_d_array=False, three_d_array=True)
        targets = TargetTags(required=False)
        return Tags(estimator_type="outlier_detector", target_tags=targets, input_tags=inputs)

    @property
    def fitted(self) -> Fitted:
        """What a fit learns besides the networks.

        Raises:
            ModelError: the detector is not fitted yet.
        """
        if self._fitted is None:
            raise _not_fitted()
        return self._fitted

    @fitted.setter
    def fitted(self, fitted: Fitted) -> None:
        self._fitted = fitted

    def __sklearn_is_fitted__(self) -> bool:
        return self._fitted is not None

    def _give(self, given: dict[str, Any]) -> None:
        settings = self._settings_of(given)
        self.device = choose_device(given["device"])
        self.settings, self._given = settings, given
        self._fitted = None

    def _settings_of(self, given: Mapping[str, Any]) -> Settings:
        chosen = {name: _plain(value) for name, value in given.items() if value is not None}
        chosen.pop("device", None)
        return build_settings(self.settings_type, chosen)

    def _changes(self) -> dict[str, Any]:
        """Return the arguments, and the keys of sections, that differ from the defaults."""
        settings = self.settings
        space = type(settings).model_fields["space"].default
        usual = build_settings(self.settings_type, {"space": settings.space})
        changes: dict[str, Any] = {}
        if self._given["device"] != "auto":
            changes["device"] = self._given["device"]
        for name in self._given.keys() & type(settings).model_fields.keys():
            one = space if name == "space" else getattr(usual, name)
            difference = _difference(getattr(settings, name), one)
            if difference is not None:
                changes[name] = difference
        return {name: changes[name] for name in self._given if name in changes}


def _not_fitted() -> ModelError:
    """Make the error of a detector that is not fitted; it is also scikit-learn's error."""
    from sklearn.exceptions import NotFittedError  # late: 80 MB

    class NotFitted(ModelError, NotFittedError):
        """The detector has not been fitted yet."""

    return NotFitted("this detector is not fitted yet; call fit first")


def _difference(value: Any, usual: Any) -> Any:
    """Return what differs from the usual value; None if nothing does."""
    if value == usual:
        return None
    if not isinstance(value, Section):
        return value
    plain = usual.model_dump()
    return {key: one for key, one in value.model_dump().items() if one != plain[key]}


def _plain(value: Any) -> Any:
    """Return Python's own value for one of numpy, such as scikit-learn's searches choose."""
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return value.item() if isinstance(value, np.generic) else value


def _arguments(kind: type[Settings]) -> dict[str, Any]:
    """List the arguments of a constructor with their defaults; None is that of the settings."""
    first = {"device": "auto", "seed": 0, "space": kind.model_fields["space"].default}
    return first | dict.fromkeys(name for name in names_with_effect(kind) if name not in first)
