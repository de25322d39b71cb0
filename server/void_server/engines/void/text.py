"""Prompts as the transformer reads them."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from void_server.engines import Warn
from void_server.engines.void.memory import TEXT, Memory

LONGEST_PROMPT = 226
"""Tokens of a prompt, its end mark counted; shorter ones are padded to it (CogVideoX's `max_text_seq_length`)."""


class TextEncoder:
    """Encodes every distinct text once."""

    def __init__(self, tokenizer: Any, memory: Memory) -> None:
        self._tokenizer, self._memory = tokenizer, memory
        self._known: dict[str, torch.Tensor] = {}

    def embedding(self, text: str, warn: Warn) -> torch.Tensor:
        """The embedding (1, 226, width) of a text, in the encoder's type; warns of what does not fit.

        No attention mask is given: VOID was trained with the padding taking part (void_model.md 3).
        """
        if text not in self._known:
            self._say_what_is_cut(text, warn)
            tokens = self._tokenizer(
                text, padding="max_length", max_length=LONGEST_PROMPT, truncation=True, return_tensors="pt"
            ).input_ids

            def encode(encoder: nn.Module) -> torch.Tensor:
                found: torch.Tensor = encoder(tokens.to(self._memory.device))[0]
                return found

            self._known[text] = self._memory.run(TEXT, encode, warn)
        return self._known[text]

    def _say_what_is_cut(self, text: str, warn: Warn) -> None:
        tokens = self._tokenizer(text, truncation=False, verbose=False).input_ids
        if len(tokens) <= LONGEST_PROMPT:
            return
        # The last place is the end mark's.
        cut = self._tokenizer.decode(tokens[LONGEST_PROMPT - 1 : -1], skip_special_tokens=True)
        warn(
            "prompt_cut",
            None,
            f"The prompt has {len(tokens)} tokens and VOID reads {LONGEST_PROMPT}; this part is not read: {cut!r}. "
            "Shorten the prompt.",
        )
