"""Fine-tuning of vision-language models: what is learnt from, at which rate, what is saved, and that it can be gone on
with. The models are a few thousand parameters; the code is that of the large ones."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

from openmie import diorama  # noqa: E402
from openmie.datasets import mmre  # noqa: E402
from openmie.errors import TrainError  # noqa: E402
from openmie.vlm.backends.chat_template import render_prompt  # noqa: E402
from openmie.vlm.backends.local import Local  # noqa: E402
from openmie.vlm.sft import tiny_llava as tiny  # noqa: E402
from openmie.vlm.sft.dataset import PromptSpec, build_sft_dataset, texts  # noqa: E402
from openmie.vlm.sft.finetune import adapted, finetune, load_model  # noqa: E402
from openmie.vlm.sft.settings import Lora, SFTTraining, parameter_groups, part_of  # noqa: E402

pytestmark = pytest.mark.slow  # trains

SIZES = tiny.Tiny(width=32, layers=2, heads=2, channels=16)
FAST = SFTTraining(epochs=2, batch=4, lr=3e-3, vision_lr=3e-3, merger_lr=3e-3, dev_batch=8)
LABELS = ("LOC", "MISC", "ORG", "PER")


@pytest.fixture(scope="session")
def lessons():
    posts = diorama.corpus(diorama.Config(translation=False, size=64, patches=4), train=8, dev=4, test=4)
    made, refused = build_sft_dataset(mmre.build_mmre(posts).train, PromptSpec(labels=LABELS))
    assert len(made) == 8 and not refused
    return made


@pytest.fixture
def fresh(lessons):
    return lambda seed=0: tiny.build(*texts(lessons), SIZES, seed)


def trainer_of(model, processor, lessons, folder, training=FAST):
    from openmie.vlm.sft.trainer import Trainer

    return Trainer.of(model, processor, (lessons, lessons[:2]), Path(folder), training, 0)


# -- what is learnt from


def test_the_loss_is_on_the_answers_tokens_and_nothing_else(lessons, fresh, tmp_path):
    """Oracle: the answers, tokenised by themselves, are all that is labelled; prompts are what inference reads."""
    model, processor = fresh()
    trainer = trainer_of(model, processor, lessons, tmp_path)
    batch = trainer.data_collator([trainer.train_dataset[i] for i in range(len(lessons))])
    words = processor.tokenizer
    for row, item in enumerate(lessons):
        ids, labels, real = (batch[k][row] for k in ("input_ids", "labels", "attention_mask"))
        answer = words(item.answer)["input_ids"] + [words.eos_token_id]
        assert labels[labels != -100].tolist() == answer
        assert torch.equal(ids[labels != -100], labels[labels != -100])
        asked = processor(text=[render_prompt(processor, item.request())], images=[list(item.pictures())])
        assert ids[(labels == -100) & (real == 1)].tolist() == asked["input_ids"][0]  # nothing cut, nothing added
        assert (labels[ids == processor.image_token_id] == -100).all()
    longest = int(batch["attention_mask"].sum(1).max())
    assert longest <= batch["input_ids"].shape[1] < 2 * longest  # padded to the batch, to no fixed length
    assert len(batch["pixel_values"]) == sum(len(x.images) for x in lessons)


def test_the_loss_is_the_mean_over_answer_tokens(lessons, fresh, tmp_path):
    """Oracle: log softmax of the model's logits, token by token, before training."""
    model, processor = fresh()
    trainer = trainer_of(model, processor, lessons, tmp_path)
    batch = trainer.data_collator([trainer.train_dataset[i] for i in range(3)])
    labels = batch["labels"]
    model.eval()
    with torch.no_grad():
        loss = trainer.compute_loss(model, dict(batch)).item()
        logits = model(**{k: v for k, v in batch.items() if k != "labels"}).logits.log_softmax(-1)
    told = [-logits[r, t - 1, labels[r, t]].item() for r, t in torch.nonzero(labels != -100).tolist()]
    assert loss == pytest.approx(sum(told) / len(told), rel=1e-4)


def test_what_ends_a_turn_is_learnt_for_any_template(fresh):
    from openmie.vlm.sft.rows import end_of_turn

    _, processor = fresh()
    assert end_of_turn(processor) == tiny.END
    qwen = "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}<|end|>\n{% endfor %}"
    processor.chat_template = qwen
    assert end_of_turn(processor) == "<|end|>\n"
    processor.chat_template = "{% for m in messages %}{{ m['content'] }}{% endfor %}"  # writes no end at all
    assert end_of_turn(processor) == tiny.END
    processor.chat_template = "{{ raise_exception('no') }}"
    assert end_of_turn(processor) == tiny.END
    processor.chat_template = processor.tokenizer.chat_template = None
    assert end_of_turn(processor) == tiny.END


# -- rates


def test_parameter_groups_are_a_partition_with_the_rates_of_their_parts(fresh):
    model, _ = fresh()
    training = SFTTraining()
    groups = parameter_groups(model, training)
    held = [id(p) for g in groups for p in g["params"]]
    assert sorted(held) == sorted({id(p) for p in model.parameters()}) and len(set(held)) == len(held)
    rates = {g["name"].partition(",")[0]: g["lr"] for g in groups}
    assert rates == {"language": 1e-5, "vision": 2e-6, "merger": 2e-6}
    names = {id(p): n for n, p in model.named_parameters()}
    for group in groups:
        for parameter in group["params"]:
            name = names[id(parameter)]
            assert group["weight_decay"] == (0.0 if parameter.ndim == 1 else 0.1), name  # no matrix is a bias or norm
            assert group["name"].startswith(part_of(name))


def test_parts_of_other_families_by_their_own_names():
    """Qwen's merger stands inside its vision tower; Idefics3 calls its own a connector. Names of real models."""
    from transformers import AutoConfig, AutoModelForImageTextToText

    text = {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "vocab_size": 64,
    }
    qwen = AutoConfig.for_model(
        "qwen2_5_vl",
        image_token_id=1,
        video_token_id=2,
        vision_start_token_id=3,
        vision_end_token_id=4,
        text_config={
            **text,
            "rope_parameters": {"rope_type": "default", "mrope_section": [2, 1, 1], "rope_theta": 1e4},
        },
        vision_config={
            "depth": 1,
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_heads": 2,
            "out_hidden_size": 16,
            "fullatt_block_indexes": [0],
        },
    )
    idefics = AutoConfig.for_model(
        "idefics3",
        image_token_id=1,
        scale_factor=2,
        text_config={"model_type": "llama", **text, "pad_token_id": 0},
        vision_config={
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "image_size": 32,
            "patch_size": 8,
        },
    )
    for config, merger in ((qwen, "visual.merger"), (idefics, "connector")):
        with torch.device("meta"):
            model = AutoModelForImageTextToText.from_config(config)
        parts = {name: part_of(name) for name, _ in model.named_parameters()}
        assert set(parts.values()) == {"language", "vision", "merger"}
        assert {n for n, p in parts.items() if p == "merger"} == {n for n in parts if f".{merger}." in n}
        assert all(
            (p == "language") == ("language_model" in n or "text_model" in n or "lm_head" in n)
            for n, p in parts.items()
        )
        assert len(parameter_groups(model, SFTTraining())) >= 4


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 0},
        {"batch": 0},
        {"schedule": "steep"},
        {"warmup": 1.0},
        {"lr": -1.0},
        {"precision": "fp8"},
        {"weights": "int4"},
        {"keep": "first"},
        {"every": -1},
    ],
)
def test_settings_that_mean_nothing_are_refused(change):
    with pytest.raises(TrainError, match=next(iter(change))):
        SFTTraining(**change)


# -- training


@pytest.fixture(scope="session")
def trained(lessons, tmp_path_factory):
    """Trained on four posts until it knows them by heart."""
    out = tmp_path_factory.mktemp("chat") / "model"
    told = []
    by_heart = replace(FAST, epochs=60, lr=1e-2, vision_lr=1e-2, merger_lr=1e-2, decay=0.0, every=30)
    sizes = replace(SIZES, width=64, layers=2)
    model, processor = tiny.build(*texts(lessons), sizes, 0)
    facts = finetune(
        model,
        processor,
        lessons[:4],
        lessons[:4],
        out,
        by_heart,
        seed=1,
        watch=lambda kind, values: told.append((kind, dict(values))),
    )
    return out, facts, told


def test_four_posts_are_learnt_by_heart(trained, lessons):
    """A problem with a known answer: the loss goes to nothing, and greedy answers are the lessons' own."""
    out, facts, told = trained
    assert facts["best"] < 0.05 < next(v["loss"] for k, v in told if k == "step")
    answers = list(Local(str(out), max_tokens=120).answers([x.request() for x in lessons[:4]]))
    assert [a.text for a in answers] == [x.answer for x in lessons[:4]]
    assert all(a.finish == "stop" for a in answers)


def test_the_folder_says_what_it_is_and_holds_no_pickle(trained, lessons):
    out, facts, told = trained
    assert json.loads((out / "training.json").read_text(encoding="utf8")) == facts
    assert facts["steps"] == 60 and facts["seed"] == 1 and facts["lessons"] == {"train": 4, "dev": 4}
    assert facts["best"] == min(row["loss"] for row in facts["curve"])
    card = (out / "card.md").read_text(encoding="utf8")
    assert facts["fingerprint"] in card and "seed 1" in card and "random weights" in card
    assert next(k for k, _ in told) == "start" and [k for k, _ in told][-1] == "done"
    assert not list(out.glob("**/*.bin")) and not list(out.glob("**/*.pt*")) and not (out / "checkpoints").exists()


def test_a_finished_training_is_not_run_again_and_no_other_takes_its_place(trained, lessons, fresh):
    out, facts, _ = trained
    before = (out / "model.safetensors").stat().st_mtime_ns
    by_heart = replace(FAST, epochs=60, lr=1e-2, vision_lr=1e-2, merger_lr=1e-2, decay=0.0, every=30)
    assert finetune(*fresh(), lessons[:4], lessons[:4], out, by_heart, seed=1) == facts
    assert (out / "model.safetensors").stat().st_mtime_ns == before
    with pytest.raises(TrainError, match="other settings or data"):
        finetune(*fresh(), lessons[:4], lessons[:4], out, by_heart, seed=2)


def test_the_loss_of_a_fresh_model_falls_and_every_part_learns(lessons, fresh, tmp_path):
    model, processor = fresh()
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    facts = finetune(model, processor, lessons, lessons[:4], tmp_path / "m", FAST, seed=0)
    first, last = facts["curve"][0]["loss"], facts["curve"][-1]["loss"]
    assert last < first
    moved = {part_of(n) for n, p in model.named_parameters() if not torch.equal(p, before[n])}
    assert moved == {"language", "vision", "merger"}


def test_checkpointing_and_parts_of_a_batch_change_what_it_costs_not_what_is_learnt(lessons, fresh, tmp_path):
    """Batch norms see parts of a batch one by one, so that these are only nearly the same."""
    plain, kept, parts, half = (
        finetune(*fresh(), lessons, lessons[:4], tmp_path / str(n), replace(FAST, **change), seed=0)["curve"]
        for n, change in enumerate(({}, {"checkpointing": True}, {"batch": 2, "accumulate": 2}, {"precision": "bf16"}))
    )
    assert plain == kept
    for other in (parts, half):
        assert [x["step"] for x in other] == [x["step"] for x in plain]
        assert [x["loss"] for x in other] == pytest.approx([x["loss"] for x in plain], abs=0.05)


class Killed(Exception):
    pass


@pytest.mark.parametrize("change", [{}, {"every": 3}, {"lora": Lora(rank=2, alpha=4)}], ids=["epochs", "steps", "lora"])
def test_killed_it_goes_on_to_the_same_bits(lessons, fresh, tmp_path, change):
    """A checkpoint at the end of an epoch, and one within; random generators count where adapters have dropout."""
    training = replace(FAST, epochs=3, **change)
    whole = finetune(*fresh(), lessons, lessons[:2], tmp_path / "whole", training, seed=3)

    def kill(kind, values):
        if kind == "dev" and values["epoch"] > 1.5:  # the second look at dev: one checkpoint is written
            raise Killed

    with pytest.raises(Killed):
        finetune(*fresh(), lessons, lessons[:2], tmp_path / "cut", training, seed=3, watch=kill)
    left = [p for p in (tmp_path / "cut").glob("**/*") if p.is_file()]
    assert left and not [p for p in left if p.suffix in (".bin", ".pt", ".pth", ".pkl")]
    with pytest.raises(TrainError, match="other settings or data"):
        finetune(*fresh(), lessons, lessons[:2], tmp_path / "cut", training, seed=4)
    begun = []
    again = finetune(
        *fresh(),
        lessons,
        lessons[:2],
        tmp_path / "cut",
        training,
        seed=3,
        watch=lambda kind, values: begun.append(values.get("from")),
    )
    assert begun[0] and "checkpoint" in begun[0]
    assert again["curve"] == whole["curve"]
    files = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "cut")]
    assert files[0] == files[1]


@pytest.mark.parametrize(
    "change, steps",
    [({}, (1, 2, 3, 5)), ({"every": 3}, (3, 4)), ({"keep": "last"}, (3,))],
    ids=["epochs", "steps", "last"],
)
def test_asked_to_stop_it_saves_the_step_and_goes_on_to_the_same_bits(lessons, fresh, tmp_path, change, steps):
    """Within an epoch of two steps, at its end and behind the best loss; the last step ends the training by itself."""
    training = replace(FAST, epochs=3, **change)
    whole = finetune(*fresh(), lessons, lessons[:2], tmp_path / "whole", training, seed=3)
    cut, said = tmp_path / "cut", []

    def run(stop):
        def watch(kind, values):
            said.append((kind, values.get("step")))
            return kind == "step_end" and values["step"] == stop

        return finetune(*fresh(), lessons, lessons[:2], cut, training, seed=3, watch=watch)

    for step in steps:
        with pytest.raises(KeyboardInterrupt):
            run(step)
        assert said[-1] == ("interrupted", step)
        assert (cut / "checkpoints" / f"checkpoint-{step}" / "whole").exists()
    again = run(whole["steps"])
    assert said[-1][0] == "done" and again["curve"] == whole["curve"]
    assert (cut / "model.safetensors").read_bytes() == (tmp_path / "whole" / "model.safetensors").read_bytes()


def test_a_checkpoint_cut_while_it_was_written_is_not_taken(tmp_path):
    from openmie.vlm.sft.checkpoint import latest

    for step, whole, counters in (
        (2, "mark", "{}1"),
        (4, "mark", '{"a": 1}'),
        (6, "", '{"a": 1}'),
        (8, "mark", '{"a"'),
    ):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        if whole:
            (folder / "whole").write_text(whole)
        (folder / "trainer_state.json").write_text(counters)
    assert latest(tmp_path, "mark") == tmp_path / "checkpoint-4"
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint-4"]
    with pytest.raises(TrainError, match="other settings"):
        latest(tmp_path, "another")
    assert latest(tmp_path / "nothing", "mark") is None


def test_lora_trains_adapters_alone_and_saves_them_merged_and_by_themselves(lessons, fresh, tmp_path):
    from peft import PeftModel

    training = replace(FAST, lora=Lora(rank=2, alpha=4, dropout=0.0), lr=1e-2)
    base, processor = fresh()
    base.save_pretrained(tmp_path / "base")
    processor.save_pretrained(tmp_path / "base")
    facts = finetune(*load_model(str(tmp_path / "base"), training), lessons, lessons[:2], tmp_path / "m", training)
    assert 0 < facts["trained"] < facts["parameters"] / 4
    assert "LoRA of rank 2" in (tmp_path / "m" / "card.md").read_text(encoding="utf8")
    merged, _ = load_model(str(tmp_path / "m"), training)
    apart = PeftModel.from_pretrained(load_model(str(tmp_path / "base"), training)[0], tmp_path / "m" / "adapter")
    inputs = processor(text=["<image>hello"], images=[[lessons[0].pictures()[0]]], return_tensors="pt")
    with torch.no_grad():
        one, two, none = (m.eval()(**inputs).logits for m in (merged, apart, base))
    assert torch.allclose(one, two, atol=1e-5) and not torch.allclose(one, none, atol=1e-3)
    frozen = [p for n, p in merged.named_parameters() if part_of(n) != "language"]
    assert all(
        torch.equal(a, b)
        for a, b in zip(frozen, [p for n, p in base.named_parameters() if part_of(n) != "language"], strict=True)
    )


def test_lora_without_a_module_of_that_name(fresh):
    with pytest.raises(TrainError, match="no module of the language model is called nothing"):
        adapted(fresh()[0], replace(FAST, lora=Lora(targets=("nothing",))))


def test_without_dev_the_last_weights_are_kept(lessons, fresh, tmp_path):
    """As the paper's: three epochs, no dev. The same weights as of a run that looked at dev, and kept the last."""
    last = replace(FAST, keep="last")
    bare = finetune(*fresh(), lessons, [], tmp_path / "bare", last, seed=2)
    seen = finetune(*fresh(), lessons, lessons[:2], tmp_path / "seen", last, seed=2)
    assert (bare["best"], bare["curve"], seen["best"], len(seen["curve"])) == (None, [], None, 2)
    files = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("bare", "seen")]
    assert files[0] == files[1]
    assert "the weights of the last step" in (tmp_path / "bare" / "card.md").read_text(encoding="utf8")


def test_what_was_computed_in_bf16_is_saved_in_bf16(lessons, fresh, tmp_path):
    finetune(*fresh(), lessons, lessons[:2], tmp_path / "m", replace(FAST, epochs=1, precision="bf16"))
    model, _ = load_model(str(tmp_path / "m"), SFTTraining(weights="bfloat16"))
    saved = json.loads((tmp_path / "m" / "config.json").read_text(encoding="utf8"))
    assert saved["dtype"] == "bfloat16" and {p.dtype for p in model.parameters()} == {torch.bfloat16}


def test_errors_before_anything_is_trained(lessons, fresh, tmp_path):
    with pytest.raises(TrainError, match="0 lessons to train on"):
        finetune(*fresh(), [], lessons, tmp_path / "m")
    with pytest.raises(TrainError, match="0 of dev"):
        finetune(*fresh(), lessons, [], tmp_path / "m")
    with pytest.raises(TrainError, match="a hub id, or a folder"):
        load_model(str(tmp_path / "none"), FAST)
