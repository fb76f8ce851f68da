# One side of engine.py: R's forecast. Rscript engine.R FILE, one window a line, hours by commas.
# Prints one line a model: its name and the mean seconds of CPU (user and system) of one fit.
suppressPackageStartupMessages(library(forecast))
windows <- lapply(strsplit(readLines(commandArgs(TRUE)[1]), ","), as.numeric)
models <- list(
  arima = function(y) auto.arima(ts(y, frequency = 24)),
  ets = function(y) ets(ts(y, frequency = 24)),
  theta = function(y) thetaf(ts(y, frequency = 24), h = 24),
  tbats = function(y) tbats(msts(y, 24), use.parallel = FALSE)
)
for (name in names(models)) {
  costs <- sapply(windows, function(y) sum(system.time(suppressWarnings(models[[name]](y)))[1:2]))
  cat(name, mean(costs), "\n")
}
