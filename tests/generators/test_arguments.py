from typing import get_args

import pytest

from anomgan.errors import SettingsError
from anomgan.generators import METHODS, arguments, train_generator
from anomgan.generators.registry import MethodName


def test_what_feature_space_alone_uses_is_no_setting_of_a_generator():
    assert "hard_share" not in arguments.TrainingOptions.__annotations__
    with pytest.raises(SettingsError, match=r"training\.hard_share has no effect"):
        train_generator([], training={"hard_share": 0.5})


def test_every_method_can_be_named_and_has_its_keys():
    assert set(get_args(MethodName)) == set(METHODS)
    assert len(get_args(arguments.NetworkOptions)) == len(METHODS)


def test_a_section_that_there_is_not_is_named_with_those_that_there_are():
    with pytest.raises(SettingsError, match=r"unknown key views .*seed, image, view, training"):
        train_generator([], views={"size": 32})
