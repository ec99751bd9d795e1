"""Networks that RMA-Mamba is compared with, one per file. All return logits, finest last."""
