"""MVTec AD as downloaded: all categories; every detector with its parts settings; the baselines.

ANOMGAN_DATA=/data python benchmarks/mvtec.py      # with the categories in /data/mvtec_ad
"""

from study import DATA, run, with_parts_settings

from anomgan.evaluation.sets import DataSet

if __name__ == "__main__":
    run(
        __doc__,
        "mvtec",
        (
            DataSet("mvtec", DATA / "mvtec_ad", "as published"),
            with_parts_settings(),
        ),
    )
