"""Networks that RMA-Mamba is compared with; one file each, logits out, finest last."""
