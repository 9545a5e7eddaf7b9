"""How long a person waits for `armillary --help` and `import armillary`, whole processes, median of several.

Run: python bench/startup.py
"""

import statistics
import subprocess
import sys
import time

RUNS = 11
COMMANDS = {
    "python -c pass": ("-c", "pass"),
    "import armillary": ("-c", "import armillary"),
    "armillary --help": ("-m", "armillary", "--help"),
    "import numpy, xarray, rasterio (for scale)": ("-c", "import numpy, xarray, rasterio"),
}


def seconds(args: tuple[str, ...]) -> float:
    """Wall seconds of one fresh interpreter."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *args], check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    """Interleave the commands, then print the median of each."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(RUNS):
        for name, args in COMMANDS.items():
            times[name].append(seconds(args))
    for name, values in times.items():
        print(f"{statistics.median(values):7.3f} s  (min {min(values):.3f}, max {max(values):.3f})  {name}")


if __name__ == "__main__":
    main()
