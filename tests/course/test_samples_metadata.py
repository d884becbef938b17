"""What each sample.toml says: complete, meant, and true of the files beside it."""

from __future__ import annotations

import pytest

from dmhelpers.course.sample_info import measured_samples, original, sample_info, samples
from dmhelpers.errors import SampleNotFound
from dmhelpers.measure.dockerfile import read_dockerfile

ROLES = ("base", "single", "builder", "runtime")

every_sample = pytest.mark.parametrize("name", samples())
every_measured_sample = pytest.mark.parametrize("name", measured_samples())


def test_measured_are_all_but_those_that_say_no():
    """A sample is measured unless its sample.toml says that it is not."""
    assert measured_samples() == ("my-api", "go-server")
    assert samples() == ("my-api", "go-server", "patient", "postage", "clock", "signpost")


@every_sample
def test_a_sample_that_is_not_measured_claims_nothing(name):
    """Images and claims belong to the measurement: a sample has both, or neither."""
    info = sample_info(name)
    assert bool(info.images) == bool(info.claims) == info.measured


@every_measured_sample
def test_every_role_is_there_once_in_the_order_of_the_lesson(name):
    """A sample is measured in four roles: base, single, builder, runtime."""
    assert tuple(image.role for image in sample_info(name).images) == ROLES
    assert [sample_info(name).image(role).role for role in ROLES] == list(ROLES)


@every_measured_sample
def test_every_image_but_the_base_is_built_from_a_stage_that_exists(name):
    """Files and targets name what is in the folder."""
    info = sample_info(name)
    assert info.image("base").tag == info.base
    assert info.image("base").file is None
    for image in info.images[1:]:
        assert image.file is not None
        assert read_dockerfile(original(name), file=image.file).find(image.target).name == image.target or (
            image.target is None
        )


@every_measured_sample
def test_one_variable_changes_per_measurement(name):
    """The single stage starts from the same base as the builder and runs the same steps."""
    info = sample_info(name)
    single = read_dockerfile(original(name), file="Dockerfile.single").stages
    builder = read_dockerfile(original(name)).find(info.image("builder").target)
    assert len(single) == 1
    assert single[0].base == builder.base == info.base
    steps = [(one.name, one.args) for one in builder.instructions if one.name != "FROM"]
    assert [(one.name, one.args) for one in single[0].instructions if one.name != "FROM"][: len(steps)] == steps


@every_measured_sample
def test_tags_carry_the_name_of_the_project(name):
    """The images of a sample are called after it, and no two alike."""
    info = sample_info(name)
    tags = [image.tag for image in info.images[1:]]
    assert all(tag.startswith(f"{name}:") for tag in tags)
    assert len(set(tags)) == len(tags)
    assert info.image("runtime").tag == f"{name}:latest"


@every_measured_sample
def test_claims_have_what_their_kind_needs(name):
    """A claim on sizes names another image, a claim on files absolute patterns."""
    for claim in sample_info(name).claims:
        assert claim.role in ROLES
        if claim.kind in ("present", "absent"):
            assert claim.paths
            assert all(path.startswith("/") for path in claim.paths)
            assert claim.than is None
        else:
            assert claim.than in ROLES
            assert not claim.paths
        assert (claim.fraction is not None) == (claim.kind == "reduction")
        assert claim.kind in ("present", "absent", "smaller", "reduction")


@every_sample
def test_an_answer_is_expected_on_a_port(name):
    """A sample says where it answers over HTTP and what."""
    info = sample_info(name)
    assert 1024 <= info.port < 65536
    assert info.http_path.startswith("/")
    assert info.http_answer
    assert info.title


@every_measured_sample
def test_typical_words_and_figures_agree(name):
    """The exercise's words for a size and the figure read from them are the same size."""
    for image in sample_info(name).images:
        digits = "".join(one for one in image.typical if one.isdigit())
        assert (int(digits) * 1_000_000 if digits else None) == image.typical_bytes


@every_sample
def test_an_unknown_name_is_told_what_there_is(name):
    """A name that is close to nothing gets the list of samples."""
    with pytest.raises(SampleNotFound, match=f"There is: .*{name!r}"):
        sample_info("zzz")
