"""What the paper prints: the experiments and their numbers, each with its place.

The *paper* is "Towards audio based score following" (Ostermaier, Wiedenmann, Bayani). Its accuracy is the hit rate of
bucket 1; all rates lie between 0 and 1.
"""

from dataclasses import dataclass

TABLE_3, ISOL, GMP = "paper-table3", "paper-full-isol", "paper-full-gmp"
EXPERIMENTS = (TABLE_3, ISOL, GMP)


@dataclass(frozen=True)
class Printed:
    """A column of the paper's Table III.

    Attributes
    ----------
    run : str
        What the run is called here.
    label : str
        What the paper calls it.
    epochs : int or None
        None where the paper names the experiment and prints no number.
    train, test : float or None
        Accuracy.
    """

    run: str
    label: str
    epochs: int | None
    train: float | None
    test: float | None


PRINTED_TABLE_3 = (
    Printed("batch-4", "batchSize=4", 89, 0.94, 0.83),
    Printed("batch-8", "batchSize=8", 40, 0.97, 0.81),
    Printed("batch-16", "batchSize=16", 35, 0.88, 0.79),
    Printed("batch-32", "batchSize=32", 36, 0.99, 0.79),
    Printed("no-bn", "No BN", 53, 0.98, 0.77),
    Printed("bn-concatenation", "BN on concatenation", 58, 0.92, 0.73),
    Printed("bn-stacks", "BN on stacks", 100, 0.97, 0.81),
    Printed("pool-4", "MaxPoolSize=4,4", 79, 0.90, 0.69),
    Printed("no-dropout", "no dropout", None, None, None),  # tested, as III.A says; not in the table
)
BASE_RUN = "batch-4"  # what the others are compared with: each changes one thing in it
PRINTED_ISOL_EPOCHS = 500  # III.B: "more than 500 epochs"
PRINTED_ISOL_CROSS = 0.66  # III.B: CH and ST on another piano
PRINTED_GMP_TRAIN = (0.62, 0.63)  # III.C gives two, "at best" .62 and, of the final model, 63 percent
PRINTED_GMP_TEST = (0.53, 0.54)
PRINTED_GMP_PHASE_EPOCHS = 100  # III.C: "around 100 epochs", then batches of 10
