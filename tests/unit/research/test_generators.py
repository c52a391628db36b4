"""Generators: valid, new, reproducible; they learn from the research window alone."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from research.dsl import Document, parse_document
from research.errors import GeneratorError
from research.generators import Feedback, GenerationContext, make_generator
from research.generators.genetic import build_archive, cell_of, cross, mutate
from research.generators.templates import TEMPLATES, read_parameters, template_document
from tests.fakes.research import document, random_documents

CONTEXT = GenerationContext(("1h", "4h"), ("BTC", "ETH"), has_funding=True, has_basis=True)
OFFLINE = ("grammar", "templates", "genetic")


def fed(documents: list[Document], seed: int = 1) -> tuple[Feedback, ...]:
    """Give every document a score drawn from a seed, and trades that scatter over the cells."""
    rng = np.random.default_rng(seed)
    return tuple(
        Feedback(one, float(rng.normal()), int(rng.integers(1, 900)), float(rng.random()))
        for one in documents
    )


@pytest.mark.parametrize("name", OFFLINE)
def test_proposals_are_valid_new_and_reproducible(name: str) -> None:
    first = make_generator(name).propose(40, 3, CONTEXT)
    hashes = [one.document_hash for one in first]
    assert len(set(hashes)) == 40
    assert [parse_document(one.canonical_json()) for one in first] == first
    assert {one.timeframe for one in first} == {"1h", "4h"}
    assert {one.instruments for one in first} == {("BTC", "ETH")}
    assert [one.document_hash for one in make_generator(name).propose(40, 3, CONTEXT)] == hashes
    again = GenerationContext(
        CONTEXT.timeframes, CONTEXT.instruments, True, True, frozenset(hashes), fed(first)
    )
    second = make_generator(name).propose(20, 4, again)
    assert not {one.document_hash for one in second} & set(hashes)
    assert [one.document_hash for one in make_generator(name).propose(20, 4, again)] == [
        one.document_hash for one in second
    ]


@pytest.mark.parametrize("name", OFFLINE)
def test_nothing_is_used_that_the_market_lacks(name: str) -> None:
    bare = GenerationContext(("1h",))
    for made in make_generator(name).propose(40, 5, bare):
        assert '"op":"funding' not in made.canonical_json()
        assert '"op":"basis"' not in made.canonical_json()


def test_an_unknown_generator_is_refused() -> None:
    with pytest.raises(GeneratorError, match="no generator tarot"):
        make_generator("tarot")


# --- templates --------------------------------------------------------------------------------------------


def test_parameters_are_read_back_from_every_template() -> None:
    made = make_generator("templates").propose(40, 3, CONTEXT)
    names = set()
    for one in made:
        read = read_parameters(one)
        assert read is not None
        template, parameters = read
        names.add(template.name)
        assert template_document(template, parameters, one.name, CONTEXT) == one
    assert names == {template.name for template in TEMPLATES}
    assert read_parameters(document()) is None
    assert read_parameters(document(description="channel: adx 20")) is None


def test_the_sampler_moves_to_where_the_score_is() -> None:
    """With a score that grows with the channel's length, later rounds propose longer channels."""
    context = GenerationContext(("1h",))
    feedback: tuple[Feedback, ...] = ()
    means = []
    for round_ in range(4):
        seen = frozenset(one.document.document_hash for one in feedback)
        made = make_generator("templates").propose(
            60, round_, GenerationContext(("1h",), seen=seen, feedback=feedback)
        )
        lengths = []
        for one in made:
            template, parameters = read_parameters(one) or (None, {})
            if template is not None and template.name == "channel":
                length = float(parameters["channel"])
                lengths.append(length)
                feedback += (Feedback(one, length / 50.0, 100, 0.3),)
        means.append(np.mean(lengths))
    assert context.feedback == ()
    assert means[-1] > means[0] + 15


# --- genetic programming ----------------------------------------------------------------------------------


def test_the_archive_keeps_the_best_of_each_cell() -> None:
    made = random_documents(60, 2)
    feedback = fed(made)
    archive = build_archive(feedback)
    assert len(archive) > 10
    for cell, best in archive.items():
        rivals = [one for one in feedback if cell_of(one) == cell]
        assert best.score == max(one.score for one in rivals)


def test_what_could_not_be_judged_breeds_nothing() -> None:
    made = random_documents(3, 2)
    feedback = (Feedback(made[0], math.nan, 50), Feedback(made[1], 3.0, 0), Feedback(made[2], 1.0, 20))
    assert [one.document for one in build_archive(feedback).values()] == [made[2]]


def test_children_resemble_their_parents() -> None:
    """Most mutants and crosses are valid and differ from what they came from."""
    rng = np.random.default_rng(4)
    parents = random_documents(40, 8)
    good = 0
    for one, other in pairwise(parents):
        raw, donor = one.model_dump(mode="json"), other.model_dump(mode="json")
        for child in (mutate(rng, raw, CONTEXT), cross(rng, raw, donor)):
            try:
                good += parse_document(child).document_hash != one.document_hash
            except ValueError:
                continue
        assert raw == one.model_dump(mode="json")
    assert good > 60
