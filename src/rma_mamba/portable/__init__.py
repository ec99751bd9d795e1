"""The network as a graph of standard ONNX operators, made from weights without torch.

| module | content |
|---|---|
| `graph_builder` | nodes, constants and stored weights of a graph |
| `graph_layers` | convolutions, norms and activations |
| `scan_graph` | the selective scan |
| `network_graph` | RMA-Mamba, and ensembles of it |
| `onnx_model` | the complete model with its metadata |
"""
