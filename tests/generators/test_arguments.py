from typing import get_args, get_type_hints

import pytest

from anomgan.config import ImageSettings, TrainingSettings, ViewSettings
from anomgan.errors import SettingsError
from anomgan.generators import METHODS, arguments, train_generator
from anomgan.generators.registry import MethodName

SECTIONS = [ImageSettings, ViewSettings, *(method.settings_type for method in METHODS.values())]


def options(settings):
    return get_type_hints(
        getattr(arguments, settings.__name__.removesuffix("Settings") + "Options")
    )


@pytest.mark.parametrize("settings", SECTIONS)
def test_the_arguments_have_names_and_types_of_the_settings(settings):
    fields = {name: field.annotation for name, field in settings.model_fields.items()}
    assert options(settings) == fields


def test_training_has_all_but_what_feature_space_alone_uses():
    fields = {name: field.annotation for name, field in TrainingSettings.model_fields.items()}
    assert fields.pop("hard_share")
    assert options(TrainingSettings) == fields
    with pytest.raises(SettingsError, match=r"training\.hard_share has no effect"):
        train_generator([], training={"hard_share": 0.5})


def test_every_method_can_be_named_and_has_its_keys():
    assert set(get_args(MethodName)) == set(METHODS)
    assert len(get_args(arguments.NetworkOptions)) == len(METHODS)


def test_a_section_that_there_is_not_is_named_with_those_that_there_are():
    with pytest.raises(SettingsError, match=r"unknown key views .*seed, image, view, training"):
        train_generator([], views={"size": 32})
