"""Old names, until their users follow."""

from harvestdetect.template.alignment import align, common_words, kept_shares
from harvestdetect.template.description import SAMPLE, Description, describe, is_rigid, is_template
from harvestdetect.template.tokens import MAX_TOKENS
from harvestdetect.template.tokens import token_texts as cut

__all__ = [
    "MAX_TOKENS",
    "SAMPLE",
    "Description",
    "align",
    "common_words",
    "cut",
    "describe",
    "is_rigid",
    "is_template",
    "kept_shares",
]
