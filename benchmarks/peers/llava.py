"""The training step of the small LLaVA that make_models.py writes, in eager PyTorch."""
import pathlib

import torch
from safetensors.torch import load_file
from transformers import LlavaForConditionalGeneration

IMAGE_TOKEN = 2047
# The loss is over the last tokens of each text.
NUM_TARGETS = 16
LEARNING_RATE = 1e-4
# What each stage trains, by parts of the names. The last one has the encoder's output from memory.
STAGES = {
    "full": [""],
    "encoder_frozen": ["multi_modal_projector", "language_model", "lm_head"],
    "projector": ["multi_modal_projector"],
    "projector_cached": ["multi_modal_projector"],
}


class Trainer:
    def __init__(self, folder, stage, device="cpu"):
        folder = pathlib.Path(folder)
        model = LlavaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
        self.model = model.train().to(device)
        batch = load_file(folder / "batch.safetensors")
        self.pixels = batch["pixel_values"].to(device)
        self.ids = batch["input_ids"].long().to(device)
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad_(any(part in name for part in STAGES[stage]))
        trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.AdamW(trained, lr=LEARNING_RATE, weight_decay=0)
        self.features = self.encode() if stage == "projector_cached" else None

    def encode(self):
        """The last hidden states without the class token."""
        output = self.model.model.vision_tower(self.pixels, output_hidden_states=True)
        return output.hidden_states[-1][:, 1:]

    def loss(self):
        inner = self.model.model
        features = self.encode() if self.features is None else self.features
        pictures = inner.multi_modal_projector(features)
        words = inner.get_input_embeddings()(self.ids[:, pictures.shape[1] :])
        sequence = torch.cat([pictures, words], 1)
        hidden = inner.language_model(inputs_embeds=sequence, use_cache=False).last_hidden_state
        logits = self.model.lm_head(hidden[:, -NUM_TARGETS - 1 : -1])
        targets = self.ids[:, -NUM_TARGETS:]
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())

    def step(self):
        """Takes one step of the optimiser and returns the loss before it."""
        loss = self.loss()
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.item()
