"""All commands, in the order of the help."""

from rma_mamba.cli.benchmark import benchmark
from rma_mamba.cli.convert import convert
from rma_mamba.cli.data import data
from rma_mamba.cli.demo import demo
from rma_mamba.cli.evaluate import evaluate
from rma_mamba.cli.export import export
from rma_mamba.cli.info import info
from rma_mamba.cli.measure import measure
from rma_mamba.cli.node import node
from rma_mamba.cli.pretrain import pretrain
from rma_mamba.cli.review import review
from rma_mamba.cli.score import score
from rma_mamba.cli.segment import segment
from rma_mamba.cli.series import series
from rma_mamba.cli.serve import serve
from rma_mamba.cli.sweep import sweep
from rma_mamba.cli.train import train
from rma_mamba.cli.watch import watch
from rma_mamba.cli.weights import weights

COMMANDS = (
    segment,
    series,
    measure,
    convert,
    score,
    serve,
    evaluate,
    train,
    pretrain,
    benchmark,
    sweep,
    export,
    node,
    watch,
    info,
    demo,
)
GROUPS = (data, review, weights)
