namespace QApollo.Optimizers;

/// <summary>
/// What is left in Adam's moments of the zeros that they began with: the product of all decays so far, from which the bias correction
/// follows (arXiv 1412.6980, section 3), also where a resumed run changed them (--beta2-tokens follows the tokens of an update).
/// </summary>
/// <param name="Beta1">In force, 0 to 1.</param>
/// <param name="Beta2">In force, 0 to 1.</param>
/// <param name="Since">Updates done when they came into force.</param>
/// <param name="Beta1Product">Of the first moment's decays in those updates.</param>
/// <param name="Beta2Product">Of the second moment's.</param>
public sealed record DecayHistory(double Beta1, double Beta2, int Since = 0, double Beta1Product = 1, double Beta2Product = 1)
{
    public static DecayHistory Of(OptimizerOptions options) => new(options.Beta1, options.Beta2);

    /// <summary>The product of the first moment's decays in all updates up to <paramref name="step"/>.</summary>
    public double FirstAt(long step) => Beta1Product * Math.Pow(Beta1, step - Since);

    /// <summary>The product of the second moment's.</summary>
    public double SecondAt(long step) => Beta2Product * Math.Pow(Beta2, step - Since);

    /// <summary>From the update after <paramref name="step"/> on with the decays of <paramref name="options"/>.</summary>
    public DecayHistory Continue(OptimizerOptions options, int step) =>
        (options.Beta1, options.Beta2) == (Beta1, Beta2) ? this : new(options.Beta1, options.Beta2, step, FirstAt(step), SecondAt(step));
}
