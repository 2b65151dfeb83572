"""The same work in PyTorch: an eager loop. A script for any Python that has torch; nothing else here needs it."""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch  # type: ignore[import-not-found, unused-ignore]
from torch.nn import functional  # type: ignore[import-not-found, unused-ignore]


def run_epoch(model: Any, optimizer: Any, train: tuple[Any, Any], validation: tuple[Any, Any]) -> list[float]:
    """Train one epoch and validate; return loss, accuracy, validation loss and validation accuracy."""
    x, y = train
    loss_sum, right = torch.zeros(()), torch.zeros(())
    for batch in torch.randperm(len(x)).split(64):
        optimizer.zero_grad()
        logits = model(x[batch])
        loss = functional.cross_entropy(logits, y[batch])
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            loss_sum += loss * len(batch)
            right += (logits.argmax(-1) == y[batch]).sum()
    with torch.no_grad():
        logits = model(validation[0])
        val_loss = functional.cross_entropy(logits, validation[1])
        val_right = (logits.argmax(-1) == validation[1]).float().mean()
    return [float(loss_sum) / len(x), float(right) / len(x), float(val_loss), float(val_right)]


def main() -> None:
    """Train; print the examples per second after two epochs of warming up."""
    parser = argparse.ArgumentParser(description="The same training in PyTorch, eager.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=20)
    options = parser.parse_args()
    torch.set_default_device("cuda" if torch.cuda.is_available() else "cpu")
    with np.load(options.data) as arrays:
        train = torch.tensor(arrays["x"]), torch.tensor(arrays["y"]).long()
        validation = torch.tensor(arrays["val_x"]), torch.tensor(arrays["val_y"]).long()
    nn = torch.nn
    model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(2):
        run_epoch(model, optimizer, train, validation)
    began = time.perf_counter()
    for _ in range(options.epochs):
        run_epoch(model, optimizer, train, validation)
    speed = options.epochs * len(train[0]) / (time.perf_counter() - began)
    print(json.dumps({"examples_per_second": speed, "versions": f"PyTorch {torch.__version__}"}))


if __name__ == "__main__":
    main()
