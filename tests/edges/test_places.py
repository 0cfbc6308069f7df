import pickle

import pytest

from beam_pipeline.domain.references import Places
from beam_pipeline.edges.places import ZipPlaces


@pytest.fixture(scope="module")
def places() -> Places:
    return ZipPlaces().open()


def test_the_row_of_a_zip_is_its_number(places: Places) -> None:
    assert len(places.state) == len(places.location) == 100_000
    assert places.state[72132] == "AR"
    assert places.state[501] == "NY"
    latitude, longitude = map(float, places.location[72132].split(","))
    assert (round(latitude), round(longitude)) == (34, -92)


def test_a_zip_that_there_is_not_lies_nowhere(places: Places) -> None:
    assert (places.state[0], places.location[0]) == (None, None)


def test_a_military_post_office_has_a_state_and_no_place(places: Places) -> None:
    assert (places.state[9001], places.location[9001]) == ("AE", None)
    assert "0,0" not in places.location.to_list()


def test_the_configuration_travels() -> None:
    assert pickle.loads(pickle.dumps(ZipPlaces())) == ZipPlaces()
